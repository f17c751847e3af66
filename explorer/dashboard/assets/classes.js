// Left: what I am looking for. Classes, the one button that makes one, undo, and the way out.

export function render({model, view, el}) {
  const send = sender(model, view)
  const list = h('ul', {class: 'list'})
  const found = h('small', {}, 'found')
  const advice = h('p', {class: 'advice'})
  const next = h('div', {class: 'next'})
  const foot = h('div', {class: 'foot'})
  const root = h('section', {class: 'card panel', 'aria-label': 'Classes'},
    h('header', {}, h('h2', {}, 'Classes'), found),
    h('div', {class: 'scroll'}, list, next, advice), foot)
  let naming = false

  function example_line(c) {
    const parts = [many(c.positives, 'example')]
    if (c.negatives) parts.push(`${count(c.negatives)} not`)
    if (c.unsure) parts.push(`${count(c.unsure)} unsure`)
    return parts.join(' · ')
  }

  function rename(item, c) {
    const field = keepKeys(h('input', {type: 'text', value: c.name, maxlength: 60, 'aria-label': 'New name'}))
    const done = ok => {
      if (ok && field.value.trim() && field.value.trim() !== c.name) send('rename', {old: c.name, new: field.value})
      else draw()
    }
    field.addEventListener('keydown', event => {
      if (event.key === 'Enter') done(true)
      if (event.key === 'Escape') done(false)
    })
    field.addEventListener('blur', () => field.isConnected && done(false))
    item.replaceChildren(h('div', {class: 'renaming'}, field))
    field.focus(); field.select()
  }

  function row(c) {
    const active = c.name === model.active
    const item = h('li', {class: active ? 'item active' : 'item', style: {'--mine': `var(--class-${c.style % 8})`}})
    const open = h('button', {class: 'open', 'aria-pressed': String(active), title: c.name,
      onclick: () => send('activate', {name: c.name}), ondblclick: () => model.refusals.annotator || rename(item, c)},
      sign(c.shape, c.style, 15), h('span', {class: 'name'}, c.name),
      h('span', {class: 'number', title: c.kept === null ? null : 'kept by the filter, of all'}, c.kept === null ? count(c.found) : `${count(c.kept)} of ${count(c.found)}`))
    const lines = h('div', {class: 'lines'}, h('small', {}, example_line(c)),
      h('small', {}, c.found === null ? 'needs a yes to count' : `at or above ${score(c.threshold)}`))
    item.append(open, lines)
    if (active) {
      lines.append(h('div', {class: 'acts'},
        h('button', {class: 'link', onclick: () => send('show', {place: 'labelled'})}, 'labels'),
        !model.refusals.annotator && h('button', {class: 'link', onclick: () => rename(item, c)}, 'rename')))
    }
    return item
  }

  function new_class() {
    const n = model.candidates
    if (naming) {
      const field = keepKeys(h('input', {type: 'text', placeholder: 'name of the sound', maxlength: 60,
        'aria-label': 'Name of the new class', class: 'new-name', autocomplete: 'off'}))
      const close = () => { naming = false; draw() }
      const make = () => { if (field.value.trim()) { send('new_class', {name: field.value}); close() } else field.focus() }
      field.addEventListener('keydown', event => {
        if (event.key === 'Enter') make()
        if (event.key === 'Escape') close()
      })
      next.replaceChildren(h('div', {class: 'naming'}, field,
        h('div', {class: 'two'}, h('button', {class: 'primary', onclick: make}, 'Make class'),
          h('button', {onclick: close}, 'Cancel')),
        n > model.most && h('small', {}, `The ${model.most} most typical of ${count(n)} become its examples.`)))
      requestAnimationFrame(() => field.focus())
      return
    }
    const what = n === 0 ? 'New class from selection' : model.selected ? `New class from ${count(n)} selected` : 'New class from this sound'
    next.replaceChildren(
      h('button', {class: 'primary wide new-class', disabled: n === 0 || Boolean(model.refusals.annotator), title: model.refusals.annotator || null, onclick: () => { naming = true; draw() }}, what),
      !model.borderline ? '' : h('button', {class: 'wide', onclick: () => send('show', {place: 'borderline'}),
        title: 'Windows that nobody has judged and that would teach most, each with a reason'}, 'What to label next'))
  }

  function draw_foot() {
    const out = h('button', {class: 'half', 'aria-haspopup': 'menu', onclick: () => menu(out, [
      {label: 'Detections', note: 'CSV', value: ['detections', 'csv'], disabled: !model.borderline},
      {label: 'Detections', note: 'Raven', value: ['detections', 'raven'], disabled: !model.borderline},
      null,
      {label: 'Labels', note: 'CSV', value: ['labels', 'csv'], disabled: !model.classes.length},
      {label: 'Labels', note: 'Raven', value: ['labels', 'raven'], disabled: !model.classes.length},
      null,
      {label: 'Exercise for a workshop', note: model.selected ? 'selection' : 'labels', value: ['exercise', ''], disabled: !model.borderline || Boolean(model.refusals.owner)},
    ], ([what, format]) => what === 'exercise' ? send('exercise') : send('export', {what, format}))}, icon('export'), 'Export')
    const study = model.study
    foot.replaceChildren(
      study ? h('div', {class: 'study', title: study.note || null},
        study.result && h('b', {}, study.result), h('small', {}, study.progress),
        h('div', {class: 'bar', role: 'progressbar', 'aria-label': 'Answers', 'aria-valuemin': 0, 'aria-valuemax': 100,
          'aria-valuenow': Math.round(study.share * 100)}, h('i', {style: {width: `${study.share * 100}%`}}))) : '',
      model.borderline ? h('button', {class: 'wide much', onclick: () => send('count'),
        title: 'Listen to windows drawn at random, without their scores: from your answers follows in what share of windows it is'},
        'How much is there?') : '',
      h('button', {class: 'half', disabled: !model.undo, title: model.undo ? `Undo: ${model.undo} (z)` : 'Nothing to undo',
        onclick: () => send('undo')}, icon('undo'), 'Undo'), out)
  }

  function draw() {
    list.replaceChildren(...model.classes.map(row))
    found.hidden = !model.classes.length
    advice.textContent = model.advice
    new_class()
    draw_foot()
  }

  model.on('msg:custom', message => { if (message.kind === 'file') keepFile(root, message) })
  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; if (!naming) draw(); else { draw_foot(); list.replaceChildren(...model.classes.map(row)) } }) } }
  model.on(['classes', 'active', 'candidates', 'selected', 'undo', 'advice', 'borderline', 'study'], soon)
  draw()
  return root
}

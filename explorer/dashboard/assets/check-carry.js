// Third door: use it elsewhere. Save it, write its card, or bring one here and adapt it.

export function render({model, view}) {
  const send = sender(model, view)
  const here = h('div', {class: 'part'})
  const there = h('div', {class: 'part'})
  const before = h('canvas', {role: 'img'}), after = h('canvas', {role: 'img'})
  const root = h('section', {class: 'card panel', 'aria-label': 'Use it elsewhere'}, here, there)
  let wanted_here = null, wanted_there = null, maps = null

  function named(label, value, wanted, keep) {
    const field = keepKeys(h('input', {type: 'text', maxlength: 100, 'aria-label': label, value: wanted() ?? value, oninput: event => wanted(event.target.value)}))
    field.addEventListener('keydown', event => event.key === 'Enter' && field.value.trim() && keep(field.value))
    return field
  }
  const owner = () => model.refusals.owner || null

  // --- made here, taken along --------------------------------------------------------------------
  function draw_here() {
    const made = model.made
    if (!made) { refill(here, h('h3', {}, 'Made here'), h('p', {class: 'says'}, 'There is no classifier yet: a class needs an example first.')); return }
    const save = name => send('save', {name})
    const field = named('Name to save it under', made.name, value => value === undefined ? wanted_here : (wanted_here = value), save)
    refill(here, h('h3', {}, 'Made here'),
      h('p', {class: 'says'}, `It is saved with the threshold of each class: ${made.classes.map((name, at) => `${name} ${score(made.thresholds[at])}`).join(', ')}.`),
      made.saved ? h('p', {class: 'kept'}, icon('yes', 13), 'Saved as ', h('b', {}, made.saved),
        h('button', {class: 'link', onclick: () => send('file', {name: made.saved})}, 'Download the file'))
        : h('div', {class: 'saving'}, field, h('button', {disabled: Boolean(owner()), title: owner() ?? 'Keep it in the collection', onclick: () => field.value.trim() && save(field.value)}, 'Save')),
      h('div', {class: 'row'}, h('span', {class: 'says'}, 'Its card:'),
        h('button', {title: 'One page with sounds, curves, versions and hashes', onclick: () => send('card', {format: 'html'})}, icon('export', 13), 'HTML'),
        h('button', {title: 'The same facts for a program', onclick: () => send('card', {format: 'json'})}, icon('export', 13), 'JSON')))
  }

  // --- brought here ------------------------------------------------------------------------------
  function choice(label, options, chosen, act) {
    return h('select', {'aria-label': label, onchange: event => event.target.value && act(event.target.value)},
      options.map(([value, text]) => h('option', {value, selected: value === chosen}, text)))
  }
  function progress() {
    const done = Math.round(model.share * 100)
    return [h('small', {}, 'Adapting…'), h('div', {class: 'bar', role: 'progressbar', 'aria-label': 'Adapting', 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-valuenow': done}, h('i', {style: {width: `${done}%`}}))]
  }
  function changed(shown) {
    const moved = maps ? h('p', {class: 'moved'},
      h('span', {class: 'gained'}, s('svg', {viewBox: '0 0 12 12', width: 11, height: 11, 'aria-hidden': 'true'}, s('path', {d: 'M6 1 11 10.500H1z'})), `${many(maps.gained, 'window')} more`),
      h('span', {class: 'lost'}, s('svg', {viewBox: '0 0 12 12', width: 11, height: 11, 'aria-hidden': 'true'}, s('path', {d: 'M2 2l8 8M10 2l-8 8'})), `${many(maps.lost, 'window')} fewer`),
      h('small', {}, `at or above ${score(shown.threshold)}`)) : ''
    const keep = name => send('keep', {name})
    const field = named('Name to keep it under', `${shown.name} here`, value => value === undefined ? wanted_there : (wanted_there = value), keep)
    return [moved, h('p', {class: shown.advised ? 'sentence' : 'sentence against'}, shown.sentence),
      shown.kept ? h('p', {class: 'kept'}, icon('yes', 13), 'Saved as ', h('b', {}, shown.kept),
        h('button', {class: 'link', onclick: () => send('file', {name: shown.kept})}, 'Download the file'))
        : h('div', {class: 'saving three'}, field, h('button', {disabled: Boolean(owner()), title: owner() ?? 'Save the adapted classifier under this name', onclick: () => field.value.trim() && keep(field.value)}, shown.advised ? 'Keep' : 'Keep anyway'),
          h('button', {title: 'Forget what adapting found', onclick: () => send('undo')}, 'Undo'))]
  }
  function draw_there() {
    const shown = model.shown
    if (!shown) {
      wanted_there = null
      maps = null
      refill(there, h('h3', {}, 'Brought here'), h('p', {class: 'says'}, model.names.length
        ? 'A classifier of another place, or an earlier one, copied into this collection’s folder “classifiers”: see what it finds here, before and after adapting.'
        : 'Copy a classifier’s file into this collection’s folder “classifiers”, and open it here.'),
      model.names.length ? choice('Open a saved classifier', [['', 'Open a saved classifier…'], ...model.names.map(name => [name, name])], '', name => send('open', {name})) : '')
      return
    }
    const large = adapted => h('button', {class: 'link', onclick: () => send('large', {adapted})}, 'on the large map')
    refill(there, 
      h('header', {}, h('b', {title: shown.name}, shown.name), h('button', {class: 'bare', 'aria-label': 'Close', title: 'Leave it alone', onclick: () => send('close')}, icon('close'))),
      shown.made_in ? h('small', {}, `made in ${shown.made_in}`) : '',
      shown.classes.length > 1 ? choice('Class on the maps', shown.classes.map(name => [name, name]), shown.class, name => send('class', {name})) : h('small', {}, shown.classes[0]),
      h('div', {class: shown.adapted ? 'maps two' : 'maps'},
        h('figure', {}, before, h('figcaption', {}, shown.adapted ? 'Before ' : 'What it finds here ', large(false))),
        shown.adapted ? h('figure', {}, after, h('figcaption', {}, 'After ', large(true))) : ''),
      ...(model.share !== null ? progress() : shown.adapted ? changed(shown)
        : [h('button', {title: 'Learn, without labels, what this place and its recorder do to sounds. Nothing is saved.', onclick: () => send('adapt')}, 'Adapt to this place')]).filter(Boolean))
    requestAnimationFrame(draw_maps)
  }

  // --- two small maps ----------------------------------------------------------------------------
  function read(message) {
    const floats = new Float32Array(bytesFrom(message.xy).buffer)
    return {n: message.n, xy: floats, before: bytesFrom(message.before), after: message.after && bytesFrom(message.after), change: bytesFrom(message.change), gained: message.gained, lost: message.lost}
  }
  function draw_maps() {
    if (!maps || !model.shown) return
    const css = getComputedStyle(root)
    const colour = name => css.getPropertyValue(name).trim()
    const cut = Math.round(model.shown.threshold * 255)
    const words = {before: 'Before', after: 'After adapting'}
    for (const [canvas, scores, when] of [[before, maps.before, 'before'], [after, maps.after, 'after']]) {
      const side = canvas.clientWidth
      if (!scores || !side) continue
      const ratio = window.devicePixelRatio || 1
      canvas.width = canvas.height = Math.round(side * ratio)
      const pen = canvas.getContext('2d')
      pen.setTransform(ratio, 0, 0, ratio, 0, 0)
      pen.clearRect(0, 0, side, side)
      const r = maps.n > 3000 ? 1.2 : maps.n > 800 ? 1.7 : 2.4
      let found = 0
      for (const above of [false, true]) {
        pen.fillStyle = colour(above ? '--accent' : '--bar')
        pen.globalAlpha = above ? 0.95 : 0.45
        for (let i = 0; i < maps.n; i++) {
          if (scores[i] >= cut !== above) continue
          if (above) found++
          pen.beginPath()
          pen.arc(maps.xy[2 * i] * side, maps.xy[2 * i + 1] * side, above ? r + 0.5 : r, 0, 6.3)
          pen.fill()
        }
      }
      pen.globalAlpha = 1
      pen.lineWidth = 1.6
      for (let i = 0; i < maps.n; i++) {
        // Before: what will go. After: what has come.
        if (!maps.after || maps.change[i] !== (when === 'before' ? 2 : 1)) continue
        const x = maps.xy[2 * i] * side, y = maps.xy[2 * i + 1] * side, d = 4
        pen.beginPath()
        if (maps.change[i] === 1) { pen.strokeStyle = colour('--accent'); pen.moveTo(x, y - d - 1); pen.lineTo(x + d, y + d - 1); pen.lineTo(x - d, y + d - 1); pen.closePath() }
        else { pen.strokeStyle = colour('--no'); pen.moveTo(x - d, y - d); pen.lineTo(x + d, y + d); pen.moveTo(x + d, y - d); pen.lineTo(x - d, y + d) }
        pen.stroke()
      }
      canvas.setAttribute('aria-label', `${words[when]}: a map of ${many(maps.n, 'window')}, ${found} of them at or above ${score(model.shown.threshold)}` +
        (maps.after ? `; ${maps.gained} come, ${maps.lost} go` : ''))
    }
  }

  model.on('msg:custom', message => {
    if (message.kind === 'file') keepFile(root, message)
    if (message.kind === 'maps') { maps = read(message); draw_there() }
  })
  model.on('made', draw_here)
  model.on('refusals', () => { draw_here(); draw_there() })
  model.on(['names', 'shown', 'share'], draw_there)
  model.on('theme', () => requestAnimationFrame(() => requestAnimationFrame(draw_maps)))
  new ResizeObserver(draw_maps).observe(root)
  if (model.whole_page) send('hello')
  draw_here()
  draw_there()
  return root
}

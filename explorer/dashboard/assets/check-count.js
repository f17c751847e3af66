// Second door: how much of it is there? Plan, answer blind, read off the result.

const TITLES = [['plan', 'What, where, how sure'], ['answer', 'Answer blind'], ['result', 'Result']]
const ANSWERS = [['positive', 'yes', 'y', 'Yes'], ['negative', 'no', 'n', 'No'], ['unsure', 'unsure', 'u', 'Unsure']]

export function render({model, view, el}) {
  const send = sender(model, view)
  const shelf = pictureShelf(model, send)
  const steps = h('ol', {class: 'steps'})
  const body = h('div', {class: 'body'})
  const heard = h('div', {class: 'unseen', role: 'status', 'aria-live': 'polite'})
  const frame = h('div', {class: 'spectrogram waiting', onclick: () => play()}, playhead())
  const play_button = h('button', {class: 'play', 'aria-label': 'Play', onclick: () => play()}, icon('play'))
  const sounding = h('div', {class: 'sounding'}, frame, play_button)
  const player = makePlayer((name, is) => showPlaying(sounding, is),
    (name, share) => { const line = frame.querySelector('.playhead'); if (line) line.style.left = `${share * 100}%` })
  const root = h('section', {class: 'card panel', 'aria-label': 'How much is there?'}, steps, body, heard, player.audio)
  let per_bin = null, alone = false
  const done = new Set()  // answered here, before Python says so

  const percent = x => x === null ? 'not known' : x >= 0.0995 || x === 0 ? `${Math.round(100 * x)} %` : `${Number((100 * x).toPrecision(2))} %`
  const fine = x => x < 0.1 ? x.toFixed(3).replace(/^0/, '') : score(x)
  const current = () => model.queue.find(c => !done.has(c.row))
  const say = text => { heard.textContent = ''; requestAnimationFrame(() => { heard.textContent = text }) }
  const target = () => model.target ? h('span', {class: 'named'}, sign(model.target.shape, model.target.style, 14), model.target.name) : ''

  // --- 1 and 2: what, where, how sure ----------------------------------------------------------
  function plan() {
    const sizes = model.sizes
    if (!sizes.some(size => size.per_bin === per_bin)) per_bin = (sizes.find(size => size.per_bin >= 25) ?? sizes.at(-1))?.per_bin ?? null
    const chosen = sizes.find(size => size.per_bin === per_bin)
    return [
      h('p', {class: 'question'}, 'In what share of windows is ', target(), '?'),
      h('p', {class: 'says'}, model.where ? ['Only ', h('b', {}, model.where), ', as the filter above says.'] : 'Everywhere. The filter above keeps it to some sites or days.',
        model.cannot && ` “${model.cannot}” is left out: a study is of sites and days only.`),
      model.studies.length ? h('div', {class: 'studies'}, h('h3', {}, 'Begun already'), model.studies.map(study =>
        h('button', {class: 'study', onclick: () => { done.clear(); send('go_on', {name: study.name}) }},
          h('span', {class: 'words'}, h('b', {}, study.name), h('small', {}, `${study.where || 'everywhere'} · ${count(study.answered)} of ${count(study.planned)} answered`)),
          study.answered >= study.planned ? 'Look' : 'Go on'))) : '',
      sizes.length ? h('fieldset', {class: 'sizes'}, h('legend', {}, model.studies.length ? 'Or begin another' : 'How sure do you want to be?'),
        sizes.map(size => h('label', {class: size.per_bin === per_bin ? 'size chosen' : 'size'},
          h('input', {type: 'radio', name: 'size', checked: size.per_bin === per_bin, onchange: () => { per_bin = size.per_bin; draw() }}),
          h('span', {}, h('b', {}, `about ±${percent(size.plus_minus)}`), ` ${many(size.answers, 'answer')}, some ${size.minutes} min`)))) : h('p', {class: 'says'}, 'Working out what it takes…'),
      h('p', {class: 'says'}, 'Windows are drawn at random from four levels of score. You answer without seeing the score, may stop at any time, and go on another day.'),
      h('button', {class: model.studies.length ? 'wide' : 'primary wide', disabled: !chosen || Boolean(model.refusals.annotator), title: model.refusals.annotator || null,
        onclick: () => { done.clear(); send('begin', {per_bin}) }}, chosen ? `Draw ${many(chosen.answers, 'window')}` : 'Draw windows'),
    ]
  }

  // --- 3: answer blind ---------------------------------------------------------------------------
  function play() {
    const c = current()
    if (c) player.play(`${c.row} ${heardAs(model.key)}`, () => send('sound', {row: c.row}))
  }
  let shown = null
  function answer_step() {
    const c = current()
    if (!c) return [h('p', {class: 'says'}, model.queue.length || model.share < 1 ? 'Drawing the next windows…' : 'All answered.'), leave_row()]
    return [
      h('p', {class: 'question'}, 'Do you hear ', target(), '?'),
      sounding,
      h('div', {class: 'answers'}, ANSWERS.map(([says, name, key, word]) => h('button', {class: `answer ${name}`, disabled: Boolean(model.refusals.annotator), title: model.refusals.annotator || `${word} (${key})`,
        onclick: () => give(says)}, icon(name, 14), word, h('kbd', {}, key)))),
      h('div', {class: 'row'}, h('label', {class: 'alone'}, h('input', {type: 'checkbox', checked: alone, onchange: event => { alone = event.target.checked }}), 'play each by itself'),
        h('small', {class: 'keys'}, h('kbd', {}, 'space'), ' play ', h('kbd', {}, 'z'), ' undo')),
      h('div', {class: 'bar', role: 'progressbar', 'aria-label': 'Answers', 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-valuenow': Math.round(model.share * 100)}, h('i', {style: {width: `${model.share * 100}%`}})),
      h('small', {}, model.progress), leave_row(),
    ]
  }
  const leave_row = () => h('div', {class: 'row'}, h('button', {onclick: () => send('step', {step: 'plan'})}, 'Stop for now'),
    model.share >= 1 || model.result || /reach|known/.test(model.progress) ? h('button', {onclick: () => send('step', {step: 'result'})}, 'See the result') : '')
  function give(judgement) {
    const c = current()
    if (!c || model.refusals.annotator) return
    player.stop()
    done.add(c.row)
    send('answer', {row: c.row, judgement})
    say(`${{positive: 'yes', negative: 'no', unsure: 'unsure'}[judgement]}. ${model.progress}`)
    draw()
  }
  function show_sound() {
    const c = model.step === 'answer' ? current() : null
    if (!c) { shown = null; return }
    fillFrame(frame, shelf.get(c.row))
    shelf.ask(model.queue.filter(card => !done.has(card.row)).map(card => card.row))
    if (shown !== c.row) { shown = c.row; if (alone) play() }
  }

  // --- 4: the result -----------------------------------------------------------------------------
  function sites(result) {
    const rows = result.sites.filter(site => site.density !== null)
    if (!rows.length) return ''
    const most = Math.max(0.02, ...rows.map(site => site.high))
    const x = v => `${(100 * v / most).toFixed(1)}%`
    return h('table', {class: 'sites'}, h('caption', {}, 'By site'), h('tbody', {}, rows.map(site => h('tr', {}, h('th', {scope: 'row'}, site.site || 'no site'),
      h('td', {class: 'range', 'aria-hidden': 'true'}, h('span', {class: 'reach', style: {left: x(site.low), width: x(site.high - site.low)}}), h('i', {style: {left: x(site.density)}})),
      h('td', {class: 'num'}, `${percent(site.density)} (${percent(site.low).replace(' %', '')}–${percent(site.high)})`)))))
  }
  function result_step() {
    const r = model.result
    if (!r) return [h('p', {class: 'says'}, model.progress ? 'Working out the result…' : 'Nothing is answered yet.'), h('button', {onclick: () => send('step', {step: 'answer'})}, 'Answer')]
    const within = h('select', {'aria-label': 'To how much it shall be known'}, [0.05, 0.03, 0.02, 0.01, 0.005].map(v =>
      h('option', {value: v, selected: Math.abs(v - r.within) < 1e-9}, `±${percent(v)}`)))
    const methods = h('p', {class: 'methods'}, r.methods)
    const copy = h('button', {class: 'link', onclick: () => copy_text(methods, r.methods)}, 'Copy')
    return [
      h('div', {class: 'big'}, h('b', {}, r.words), h('span', {}, `${r.between} (${percent(r.level)} interval)`),
        h('small', {}, `${count(r.answers.yes)} yes · ${count(r.answers.no)} no · ${count(r.answers.unsure)} unsure, of ${count(r.whole.windows)} windows${model.where ? ` (${model.where})` : ''}, at no threshold`)),
      r.note && h('p', {class: 'says'}, r.note),
      sites(r),
      h('div', {class: 'offers'}, h('h3', {}, 'Threshold for a wanted precision'), model.offers.length ? model.offers.map(offer =>
        h('div', {class: 'offer'}, h('span', {}, h('b', {}, percent(offer.wanted)), ' ', h('small', {}, offer.threshold === null ? offer.words : `from ${fine(offer.threshold)} on: ${offer.words}`)),
          offer.threshold === null ? '' : h('button', {onclick: () => send('threshold', {wanted: offer.wanted})}, 'Use'))) : h('p', {class: 'says'}, 'A moment: recordings are being left out.')),
      h('div', {class: 'row'}, h('span', {class: 'says'}, 'Know it to'), within,
        h('button', {disabled: Boolean(model.refusals.annotator), title: model.refusals.annotator || null, onclick: () => { done.clear(); send('narrow', {within: Number(within.value)}) }},
          r.more ? `Answer on (${count(r.more)} reach ±${percent(r.within)})` : 'Answer on')),
      h('div', {class: 'paper'}, h('h3', {}, 'For the methods section'), methods, h('div', {class: 'row'}, copy,
        h('button', {class: 'link', onclick: () => send('export')}, 'Table as CSV'))),
      h('div', {class: 'row'}, h('button', {onclick: () => send('step', {step: 'plan'})}, 'Another study')),
    ]
  }
  function copy_text(node, text) {
    const range = document.createRange()
    range.selectNodeContents(node)
    const selection = getSelection()
    selection.removeAllRanges()
    selection.addRange(range)
    navigator.clipboard?.writeText(text).then(() => say('copied'), () => {})
  }

  function draw() {
    const at = TITLES.findIndex(([name]) => name === model.step)
    steps.replaceChildren(...TITLES.map(([name, title], i) => h('li', {'aria-current': i === at ? 'step' : null, class: i < at ? 'past' : null}, title)))
    root.style.setProperty('--mine', model.target ? `var(--class-${model.target.style % 8})` : 'var(--accent)')
    const parts = {plan, answer: answer_step, result: result_step}[model.step]()
    refill(body, parts)
    if (model.step !== 'answer') player.stop()
    show_sound()
  }

  // --- keys ----------------------------------------------------------------------------------------
  function on_key(event) {
    const where = event.composedPath()[0]
    if (event.ctrlKey || event.metaKey || event.altKey || !el.isConnected || !root.getClientRects().length || model.step !== 'answer') return
    if (where instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(where.tagName) && where.type !== 'checkbox') return
    const on_button = where instanceof HTMLElement && (where.tagName === 'BUTTON' || where.type === 'checkbox')
    const act = {y: () => give('positive'), n: () => give('negative'), u: () => give('unsure'), z: () => { done.clear(); send('undo') }, ' ': on_button ? null : play}[event.key]
    if (!act) return
    event.preventDefault(); event.stopPropagation()
    act()
  }
  const keys = listenToKeys(model, el, on_key)
  model.on('remove', () => { keys.end(); player.end() })
  model.on('msg:custom', message => {
    if (message.kind === 'file') keepFile(root, message)
    if (message.kind === 'sound') player.heard(`${message.row} ${heardAs(message.key)}`, message)
    if (message.kind === 'picture') { shelf.keep(message); show_sound() }
  })
  let queued = false
  const soon = () => { if (!queued) { queued = true; requestAnimationFrame(() => { queued = false; draw() }) } }
  model.on('queue', () => { for (const row of [...done]) if (!model.queue.some(c => c.row === row)) done.delete(row); soon() })
  model.on(['step', 'where', 'cannot', 'studies', 'sizes', 'progress', 'share', 'result', 'offers', 'target', 'key', 'refusals'], soon)
  new ResizeObserver(() => keys.begin()).observe(root)
  draw()
  return root
}

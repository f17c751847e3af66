// A closer look: one sound in large, with what was before and after it, its axes, and why it was found.

const CONTEXTS = [0, 3, 10, 30]
const CLOSER_KEYS = [['space', 'play or stop what is shown'], ['p', 'play the window only'], ['←', '→', 'previous, next window (shift: ten)'],
  ['j', 'k', 'next, previous sound of the list'], ['y', 'n', 'u', 'yes, no, unsure'], ['z', 'undo'], ['c', 'more or less context'],
  ['+', '−', 'zoom in time'], ['↑', '↓', 'zoom in frequency'], ['0', 'no zoom'], ['f', 'zoom to what is drawn around'], ['l', 'loop'],
  ['1', '…', 'play an example'], ['s', 'how to draw and play'], ['m', 'more like this'], ['r', 'copy a reference'], ['d', 'download'], ['Esc', 'close']]

// Local time of a second of the recording, as its own zone writes it.
function isoAt(began, seconds) {
  const [, day, zone] = began.match(/^(.*?)(Z|[+-]\d\d:?\d\d)?$/)
  return new Date(new Date(`${day}Z`).getTime() + seconds * 1000).toISOString().slice(0, -1) + (zone ?? '')
}

export function render({model, view}) {
  const send = sender(model, view)
  const canvas = timeFrequency({
    ask: (number, start_s, end_s, size, hz) => send('view', {number, start_s, end_s, size, hz}),
    measure: box => send('measure', {start_s: box.start_s, end_s: box.end_s, hz: [box.low_hz, box.high_hz]}),
    pointed: tell_pointer, changed: on_view,
  })
  const shelf = pictureShelf(model, send)
  const player = makePlayer(on_player, (name, share, second) => name.startsWith('example') ? move_example(name, share) : canvas.head(second))
  const settings = listeningPanel(model, send)
  let context = 3, proofs = new Map(), measured = null, copied = '', shown_row = null

  const where = h('div', {class: 'where'})
  const steps = h('div', {class: 'steps'})
  const strip = h('div', {class: 'strip', role: 'group', 'aria-label': 'Windows around it, by score'})
  const bar = h('div', {class: 'toolbar'})
  const pointer = h('div', {class: 'pointer'})
  const judges = h('div', {class: 'judges', role: 'group', 'aria-label': 'Is it?'})
  const why = h('section', {class: 'reasons', 'aria-label': 'Why this was found'})
  const how = h('section', {class: 'how', 'aria-label': 'How to draw and play', hidden: true}, settings.node)
  const facts = h('section', {class: 'facts', 'aria-label': 'Where it is from'})
  const told = h('div', {class: 'told', role: 'status', 'aria-live': 'polite'})
  const keys = h('div', {class: 'keys', hidden: true}, h('dl', {}, CLOSER_KEYS.map(k => [h('dt', {}, k.slice(0, -1).map(x => h('kbd', {}, x))), h('dd', {}, k.at(-1))])))
  const dialog = h('dialog', {'aria-label': 'Closer look', tabindex: -1, autofocus: true},
    h('header', {}, where, steps),
    h('div', {class: 'body'},
      h('div', {class: 'large'}, canvas.node, strip, pointer, bar, told),
      h('aside', {}, judges, keys, why, how, facts)))
  const root = h('div', {class: 'closer'}, dialog)

  // --- what is shown -------------------------------------------------------------------------
  const sound = () => model.sound
  const whole = () => ({start_s: Math.max(0, sound().start_s - context), end_s: Math.min(sound().duration_s, sound().end_s + context)})
  function set_context(seconds) { context = seconds; canvas.show(whole(), {keepHz: true}); draw_bar() }
  function on_view() { draw_strip(); draw_bar() }

  function draw() {
    if (!sound()) {
      if (dialog.open) { player.stop(); dialog.close() }
      shown_row = null
      return
    }
    if (!dialog.isConnected) { requestAnimationFrame(draw); return }  // a page that opens with a sound
    const fresh = shown_row !== sound().row
    root.style.setProperty('--mine', model.target ? `var(--class-${model.target.style % 8})` : 'var(--accent)')
    if (!dialog.open) { dialog.querySelector('audio') ?? dialog.append(player.audio); dialog.showModal(); dialog.focus() }
    if (fresh) {
      const same = canvas.recording === sound().recording
      shown_row = sound().row
      player.stop(); measured = null; copied = ''
      canvas.begin(sound(), same)
      canvas.show(whole(), {keepHz: same})
      ask_why()
    }
    draw_where(); draw_strip(); draw_bar(); draw_judges(); draw_facts()
    if (!fresh) draw_why()
  }
  function draw_where() {
    const c = sound()
    const time = c.iso ? `${c.day} ${c.iso.slice(0, 4)}, ${c.iso.slice(11, 19)}` : ''
    refill(where, h('h2', {}, whereOf(c)), h('span', {}, time), h('span', {class: 'quiet', title: c.recording}, `${c.recording.split('/').pop()} at ${c.at}`))
    refill(steps, 
      h('button', {class: 'bare', 'aria-label': 'Previous window of the recording', title: 'Previous window (←)', disabled: c.window <= 1, onclick: () => step(-1)}, icon('left')),
      h('span', {class: 'quiet', title: 'Window of the recording'}, `window ${count(c.window)} of ${count(c.windows)}`),
      h('button', {class: 'bare', 'aria-label': 'Next window of the recording', title: 'Next window (→)', disabled: c.window >= c.windows, onclick: () => step(1)}, icon('right')),
      c.of ? h('button', {class: 'bare list', title: 'Next sound of the list (j)', onclick: () => send('next', {by: 1})},
        c.listed ? `${count(c.listed)} of ${count(c.of)} in the list` : 'to the list', icon('down', 12)) : '',
      h('button', {class: 'bare', 'aria-label': 'Keys', 'aria-pressed': String(!keys.hidden), title: 'Keys (?)', onclick: show_keys}, h('kbd', {}, '?')),
      h('button', {class: 'bare', 'aria-label': 'Close', title: 'Close (Esc)', onclick: () => send('close')}, icon('close')))
  }
  const step = by => send('step', {by})
  function show_keys() { keys.hidden = !keys.hidden; if (!keys.hidden) keys.scrollIntoView({block: 'nearest'}); draw_where() }

  // Scores of the windows around it, under the stretch that each of them is.
  function draw_strip() {
    const view = canvas.view
    if (!view || !sound()) return
    const share = s => (s - view.start_s) / (view.end_s - view.start_s) * 100
    const near = model.strip.filter(w => w.end_s > view.start_s && w.start_s < view.end_s)
    const scored = near.some(w => w.score !== null)
    strip.classList.toggle('scored', scored)
    refill(strip, 
      scored ? h('span', {class: 'line', style: {bottom: `${model.threshold * 100}%`}, title: `threshold ${score(model.threshold)}`}) : '',
      ...near.map((w, i) => {
        const next = near[i + 1]
        const end = Math.min(w.end_s, next ? Math.max(next.start_s, w.start_s) : w.end_s)
        const here = w.row === sound().row
        const words = [`window at ${w.at}`, w.score === null ? '' : `score ${tiny(w.score)}`, {positive: 'yes', negative: 'no', unsure: 'unsure'}[w.judgement] ?? ''].filter(Boolean).join(', ')
        return h('button', {class: here ? 'here' : null, 'aria-label': words, title: words, 'aria-current': here ? 'true' : null,
          style: {left: `${Math.max(0, share(w.start_s))}%`, width: `calc(${Math.min(100, share(end)) - Math.max(0, share(w.start_s))}% - 1px)`},
          onclick: () => send('window', {row: w.row})},
          w.score === null ? '' : h('i', {class: w.score >= model.threshold ? 'found' : null, style: {height: `${Math.max(2, w.score * 100)}%`}}),
          w.judgement ? icon({positive: 'yes', negative: 'no', unsure: 'unsure'}[w.judgement], 10) : '')
      }))
  }

  function draw_bar() {
    if (!canvas.view || !sound()) return
    const playing = player.playing !== null && !player.playing.startsWith('example')
    const pressed = (label, note, on, act, off = false) => h('button', {'aria-pressed': String(on), title: note, disabled: off, onclick: act}, label)
    const small = (name, label, act, content) => h('button', {class: 'bare', 'aria-label': label, title: label, 'data-does': name, onclick: act}, content)
    refill(bar, 
      h('button', {class: 'primary play', 'aria-label': playing ? 'Stop' : 'Play', title: 'Play what is shown (space)', onclick: play}, icon(playing ? 'stop' : 'play'),
        playing ? 'Stop' : canvas.box ? 'Play the range' : 'Play'),
      pressed('Loop', 'Loop (l)', player.loop, () => { player.loop = !player.loop; draw_bar() }),
      h('span', {class: 'group', role: 'group', 'aria-label': 'Context'}, h('span', {class: 'quiet'}, 'Context'),
        CONTEXTS.map(s => pressed(s ? `${s} s` : 'none', `${s} s before and after (c)`, s === context, () => set_context(s)))),
      h('span', {class: 'group', role: 'group', 'aria-label': 'Zoom'},
        small('in', 'Zoom in, time (+)', () => canvas.zoom(0.5), '+'), small('out', 'Zoom out, time (-)', () => canvas.zoom(2), '−'),
        small('up', 'Zoom in, frequency (↑)', () => canvas.zoomHz(0.5), '↕+'), small('down', 'Zoom out, frequency (↓)', () => canvas.zoomHz(2), '↕−'),
        canvas.box ? small('fit', 'Zoom to what is drawn around (f)', () => canvas.fit(), icon('box', 12)) : '',
        canvas.zoomed(whole()) ? h('button', {class: 'link', onclick: unzoom}, 'No zoom') : ''),
      h('button', {class: 'bare preset', 'aria-expanded': String(!how.hidden), title: 'How to draw and play (s)', onclick: show_how},
        model.listening.preset + (model.changed ? ' *' : ''), icon('down', 12)))
  }
  function unzoom() { canvas.clear(); canvas.show(whole(), {keepHz: false}) }
  function show_how() {
    how.hidden = !how.hidden
    why.hidden = !how.hidden
    settings.draw()
    draw_bar()
    if (how.hidden) dialog.focus(); else how.querySelector('[aria-checked="true"]')?.focus()
  }

  function tell_pointer(at) {
    if (!sound()) return
    const words = canvas.words
    const parts = at ? [clock(at.second, 3), sound().began ? isoAt(sound().began, at.second) : '', hertz(at.hz), at.level === null ? '' : `${at.level} dB`]
      : measured && canvas.box ? [`${Number(measured.seconds.toPrecision(3))} s`, `${hertz(measured.low_hz)}–${hertz(measured.high_hz)} (90 % of the energy)`,
        `peak ${hertz(measured.peak_hz)}`, `${measured.level_db.toFixed(0)} dB`]
        : [words || 'Drag to draw around a call: it is measured, and plays alone. Turn the wheel to zoom.']
    refill(pointer, ...parts.filter(Boolean).map(text => h('span', {}, text)), at && words ? h('span', {class: 'quiet'}, words) : '')
  }

  // --- judging -------------------------------------------------------------------------------
  function draw_judges() {
    const t = model.target, refused = model.refusals.annotator
    refill(judges, 
      h('span', {class: 'ask'}, t ? [sign(t.shape, t.style, 15), h('b', {}, t.name), '?'] : 'What is it?'),
      t ? [['positive', 'yes'], ['negative', 'no'], ['unsure', 'unsure']].map(([says, name]) => h('button', {class: `judge ${name}`, disabled: Boolean(refused),
        title: refused || `${name} (${name[0]})`, 'aria-pressed': String(sound().judgement === says), onclick: () => judge(says)}, icon(name, 14), name)) : '',
      t || refused ? '' : h('form', {onsubmit: event => { event.preventDefault(); const name = event.target.querySelector('input').value.trim(); if (name) send('new_class', {name}) }},
        keepKeys(h('input', {type: 'text', 'aria-label': 'Name of a new class of this sound', placeholder: 'name a class of this sound', maxlength: 60})), h('button', {}, 'Make')),
      refused ? h('small', {}, refused) : '')
  }
  function judge(judgement) {
    const back = sound().mine && sound().judgement === judgement
    if (model.target && !model.refusals.annotator) say(back ? 'taken back' : {positive: 'yes', negative: 'no', unsure: 'unsure'}[judgement])
    send('judge', {rows: [sound().row], judgement})
  }
  function say(text, kind = '') { told.className = `told ${kind}`; told.textContent = text }

  // --- why -----------------------------------------------------------------------------------
  let reasons = null
  function ask_why() {
    reasons = null
    proofs = new Map()
    if (model.target && !model.blind && sound().score !== null) send('why', {row: sound().row})
    draw_why()
  }
  function draw_why() {
    const c = sound()
    const words = model.blind ? 'In a study nothing is told of a sound before it is answered.'
      : !model.target ? (c.alike === null ? 'Nothing is learnt yet: make a class of this sound, and every other is ranked by it.' : '')
        : c.score === null ? 'This class has no example yet.' : whyWords(model.target, c.score, model.threshold)
    const alike = c.alike === null ? '' : `As like ${c.like} as ${score(c.alike)} (cosine; 1 is the same). `
    refill(why, h('h3', {}, 'Why this was found'), h('p', {}, alike, words, reasons?.sentence ?? ''),
      h('div', {class: 'proofs'}, [...proofs.values()]),
      h('button', {class: 'link', onclick: () => send('like', {row: c.row})}, 'More like this'))
  }
  function show_why(message) {
    if (!sound() || message.row !== sound().row) return
    reasons = message
    proofs = proofNodes(message, play_example)
    draw_why()
    for (const row of proofs.keys()) show_example(row)
    shelf.ask([...proofs.keys()])
  }
  const show_example = row => { const node = proofs.get(row); if (node) fillFrame(node.querySelector('.spectrogram'), shelf.get(row)) }
  const play_example = row => player.play(`example ${row} ${heardAs(model.key)}`, () => send('sound', {row}))
  const exampleOf = name => proofs.get(Number(name.split(' ')[1]))
  function move_example(name, share) { const line = exampleOf(name)?.querySelector('.playhead'); if (line) line.style.left = `${share * 100}%` }

  // --- facts ---------------------------------------------------------------------------------
  function draw_facts() {
    const c = sound()
    const rows = [['Recording', c.recording], ['Seconds', `${c.start_s.toFixed(3)}–${c.end_s.toFixed(3)} of ${c.duration_s.toFixed(1)}`], ['Time', c.iso || 'not known'],
      ['Site', c.site || 'not known'], ['Device', c.device]].filter(([, value]) => value)
    refill(facts, h('dl', {}, rows.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])),
      h('div', {class: 'acts'}, h('button', {class: 'link', title: 'r', onclick: copy}, 'Copy a reference'),
        h('button', {class: 'link', title: 'd', onclick: download}, 'Download as heard'), h('small', {role: 'status'}, copied)))
  }
  async function copy() {
    const text = sound().reference
    try { await navigator.clipboard.writeText(text) } catch { // not on a page without https
      const field = h('textarea', {value: text, class: 'unseen'})
      dialog.append(field); field.select(); document.execCommand('copy'); field.remove(); dialog.focus()
    }
    copied = `Copied: ${text}`
    draw_facts()
  }
  const heard = () => { const range = canvas.box ?? canvas.view; return {start_s: range.start_s, end_s: range.end_s, hz: canvas.hzHeard()} }
  const download = () => send('download', heard())
  function save(message) {
    const url = URL.createObjectURL(new Blob([bytesFrom(message.data)], {type: 'audio/wav'}))
    h('a', {href: url, download: message.name}).click()
    setTimeout(() => URL.revokeObjectURL(url), 10_000)
  }

  // --- sound ---------------------------------------------------------------------------------
  function hear(range) {
    const name = `${range.start_s.toFixed(4)}-${range.end_s.toFixed(4)} ${range.hz ?? ''} ${sound().recording} ${heardAs(model.key)}`.slice(0, 200)
    player.play(name, () => send('hear', {name, ...range}))
  }
  function play() { if (player.playing !== null) player.stop(); else hear(heard()) }
  const play_window = () => hear({start_s: sound().start_s, end_s: sound().end_s, hz: canvas.hzHeard()})
  function on_player(name, is) {
    if (name.startsWith('example')) { const node = exampleOf(name); if (node) showPlaying(node, is) }
    else { canvas.sounding(is); draw_bar() }
  }

  // --- keys ----------------------------------------------------------------------------------
  // While it is open every key is for it, wherever the focus has gone.
  function on_key(event) {
    const target = event.composedPath()[0]
    if (!dialog.open || event.key === 'Escape') return
    event.stopPropagation()
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return
    const example = [...proofs.keys()][Number(event.key) - 1]
    const act = {
      ' ': target.tagName === 'BUTTON' ? null : play, p: play_window, ArrowLeft: () => step(event.shiftKey ? -10 : -1), ArrowRight: () => step(event.shiftKey ? 10 : 1),
      j: () => send('next', {by: 1}), k: () => send('next', {by: -1}), y: () => judge('positive'), n: () => judge('negative'), u: () => judge('unsure'),
      z: () => send('undo'), c: () => set_context(CONTEXTS[(CONTEXTS.indexOf(context) + 1) % CONTEXTS.length]),
      '+': () => canvas.zoom(0.5), '=': () => canvas.zoom(0.5), '-': () => canvas.zoom(2), ArrowUp: () => canvas.zoomHz(0.5), ArrowDown: () => canvas.zoomHz(2),
      0: unzoom, f: () => canvas.fit(), l: () => { player.loop = !player.loop; draw_bar() }, s: show_how, m: () => send('like', {row: sound().row}), r: copy, d: download,
      '?': show_keys,
    }[event.key] ?? (example === undefined ? null : () => play_example(example))
    if (!act) return
    event.preventDefault()
    act()
  }
  document.addEventListener('keydown', on_key, true)
  dialog.addEventListener('cancel', event => {
    event.preventDefault()
    if (!how.hidden) show_how(); else if (canvas.box) canvas.clear(); else send('close')
  })
  dialog.addEventListener('click', event => { if (event.target === dialog) send('close') })  // beside it

  model.on('msg:custom', message => {
    if (message.kind === 'view') { if (!message.late) canvas.drawn(message); if (message.failed) say('This could not be drawn.', 'error'); tell_pointer(null) }
    if (message.kind === 'sound') player.heard(typeof message.row === 'number' ? `example ${message.row} ${heardAs(message.key)}` : message.row, message)
    if (message.kind === 'picture') { shelf.keep(message); show_example(message.row) }
    if (message.kind === 'why') show_why(message)
    if (message.kind === 'measured' && !message.failed) { measured = message; tell_pointer(null) }
    if (message.kind === 'download' && !message.failed) save(message)
  })
  let queued = false
  const soon = () => { if (!queued) { queued = true; requestAnimationFrame(() => { queued = false; draw() }) } }
  model.on(['sound', 'strip', 'blind', 'threshold', 'refusals'], soon)
  model.on('target', () => { shown_row = null; soon() })
  model.on(['key', 'changed'], () => {
    player.stop()
    settings.draw()
    if (!sound()) return
    canvas.again()
    for (const row of proofs.keys()) show_example(row)
    shelf.ask([...proofs.keys()])
    draw_bar()
  })
  model.on('said', () => { if (model.said && sound()) say(model.said.text, model.said.kind) })
  model.on('remove', () => { document.removeEventListener('keydown', on_key, true); player.end(); canvas.end() })
  draw()
  return root
}

// One recording: a picture of all of it, the level of each minute, what was found, and what is known.
// A press on the picture or the curve plays from there.

const SEVERE = {severe: ['diamond', '--no'], warning: ['triangle', '--unsure'], note: ['circle', '--faint']}

function mark(severity, size = 12) {
  const [shape, colour] = SEVERE[severity]
  return s('svg', {viewBox: '0 0 16 16', width: size, height: size, class: 'sign', role: 'img', 'aria-label': severity,
    style: {fill: `var(${colour})`}}, s('path', {d: SHAPES[shape]}))
}
const clock = seconds => {
  const whole = Math.floor(seconds), two = n => String(n).padStart(2, '0')
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}` : `${Math.floor(whole / 60)}:${two(whole % 60)}`
}

export function render({model, view}) {
  const send = sender(model, view)
  const title = h('h2', {class: 'title'})
  const step = (by, name, label) => h('button', {class: 'bare', 'aria-label': label, title: label, onclick: () => send('step', {by})}, icon(name))
  const close = h('button', {class: 'bare', 'aria-label': 'Close', title: 'Close', onclick: () => send('close')}, icon('close', 13))
  const head = h('header', {}, title, h('div', {class: 'steps'}, step(-1, 'left', 'The recording before'), step(1, 'right', 'The recording after'), close))
  const image = h('img', {alt: '', draggable: 'false'})
  const ticks = h('div', {class: 'ticks', 'aria-hidden': 'true'})
  const head_line = h('i', {class: 'playhead', hidden: true})
  const note = h('small', {class: 'note'})
  const picture = h('div', {class: 'picture', tabindex: 0, role: 'slider', 'aria-label': 'Where to play from', 'aria-valuemin': 0}, image, ticks, head_line)
  const curve = s('svg', {class: 'curve', height: 70, role: 'img'})
  const play = h('button', {class: 'play', onclick: () => playing() ? stop() : play_from(at)}, icon('play'), 'Play')
  const windows = h('button', {class: 'windows', onclick: () => send('windows')}, icon('grid'), 'Show its windows')
  const faults = h('ul', {class: 'faults'})
  const facts = h('dl', {})
  const body = h('div', {class: 'body'}, picture, note, curve, h('div', {class: 'acts'}, play, windows), faults, facts)
  const empty = h('p', {class: 'empty'}, 'Choose a recording on the timeline or in a list: here you see and hear all of it.')
  const root = h('section', {class: 'card panel', 'aria-label': 'Recording'}, head, body, empty)
  const audio = new Audio()
  let shown = '', at = 0, speed = 1, began = 0, url = null, wanted = null

  const playing = () => !audio.paused && !audio.ended
  function stop() { audio.pause(); wanted = null; draw_play() }
  function play_from(second) {
    at = Math.min(Math.max(0, second), Math.max(0, model.recording.seconds - 0.05))
    wanted = {id: model.recording.id, at}
    place(at)
    send('sound', {recording: model.recording.id, start: at})
  }
  function place(second) {
    head_line.hidden = false
    head_line.style.left = `${Math.min(100, second / model.recording.seconds * 100)}%`
    picture.setAttribute('aria-valuenow', second.toFixed(0))
    picture.setAttribute('aria-valuetext', clock(second))
  }
  function draw_play() {
    play.replaceChildren(icon(playing() ? 'stop' : 'play'), playing() ? 'Stop' : `Play${at > 0.5 ? ` from ${clock(at)}` : ''}`)
  }
  audio.addEventListener('timeupdate', () => { if (playing()) { at = began + audio.currentTime * speed; place(at) } })
  // One piece after the other, until the recording ends or somebody stops it.
  audio.addEventListener('ended', () => { at = began + audio.duration * speed; if (wanted && at < model.recording.seconds - 0.2) play_from(at); else { at = 0; wanted = null; draw_play() } })
  audio.addEventListener('play', draw_play)
  audio.addEventListener('pause', draw_play)
  const share = event => { const box = picture.getBoundingClientRect(); return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) }
  for (const node of [picture, curve]) node.addEventListener('click', event => play_from(share(event) * model.recording.seconds))
  picture.addEventListener('keydown', event => {
    const by = {ArrowLeft: -0.02, ArrowRight: 0.02}[event.key]
    if (by) { at = Math.min(model.recording.seconds, Math.max(0, at + by * model.recording.seconds)); place(at); draw_play() }
    else if (event.key === 'Enter' || event.key === ' ') { if (playing()) stop(); else play_from(at) }
    else return
    event.preventDefault(); event.stopPropagation()
  })

  function draw_curve() {
    const level = model.level
    curve.style.display = level ? '' : 'none'
    if (!level) return
    const width = curve.clientWidth || 400, tall = 70, n = level.minutes.length
    const seconds = model.recording.seconds
    const x = minute => Math.min(width, minute * level.minute_s / seconds * width), y = db => 6 + Math.min(1, Math.max(0, -db / 96)) * (tall - 12)
    const steps = values => values.map((v, i) => `${i ? 'L' : 'M'}${x(i).toFixed(1)} ${y(v).toFixed(1)}L${x(i + 1).toFixed(1)} ${y(v).toFixed(1)}`).join('')
    const clipped = level.clipped.map((c, i) => c > 0.0001 ? `M${x(i).toFixed(1)} 0h${Math.max(2, x(i + 1) - x(i)).toFixed(1)}v4h-${Math.max(2, x(i + 1) - x(i)).toFixed(1)}z` : '').join('')
    curve.setAttribute('viewBox', `0 0 ${width} ${tall}`)
    curve.replaceChildren(
      ...[0, -48, -96].flatMap(db => [s('line', {x1: 0, x2: width, y1: y(db), y2: y(db), class: 'grid'}), s('text', {x: width, y: y(db) + (db ? -3 : 10), 'text-anchor': 'end'}, db ? `${db}` : '0 dBFS')]),
      s('path', {class: 'loudest', d: steps(level.peaks)}),
      s('path', {class: 'under', d: `${steps(level.minutes)}L${x(n)} ${tall - 6}L0 ${tall - 6}z`}),
      s('path', {class: 'level', d: steps(level.minutes)}),
      clipped ? s('path', {class: 'clipped', d: clipped}) : '')
    const low = Math.min(...level.minutes), high = Math.max(...level.minutes)
    curve.setAttribute('aria-label', `Level of each minute, from ${low} to ${high} dBFS${clipped ? '; some minutes are clipped' : ''}`)
  }
  function draw() {
    const one = model.recording, there = one.id !== undefined
    head.hidden = body.hidden = !there
    empty.hidden = there
    if (!there) { stop(); shown = ''; return }
    const key = `${one.id}/${model.theme}`
    if (key !== shown) {
      if (shown.split('/')[0] !== String(one.id)) { stop(); at = 0; head_line.hidden = true; image.removeAttribute('src'); ticks.replaceChildren(); note.textContent = 'Drawing …'; body.scrollTop = 0 }
      shown = key
      send('picture', {recording: one.id})
    }
    title.replaceChildren(h('bdi', {}, one.name)); title.title = one.name
    picture.setAttribute('aria-valuemax', one.seconds.toFixed(0)); picture.setAttribute('aria-valuenow', '0')
    windows.disabled = !model.windows
    windows.replaceChildren(icon('grid'), model.windows ? `Show its ${many(model.windows, 'window')}` : 'No windows yet')
    windows.title = model.windows ? 'On the map and in the gallery' : 'It has not been embedded with the encoder that is looked at'
    faults.replaceChildren(...model.faults.map(f => h('li', {}, mark(f.severity), h('span', {}, h('b', {}, f.kind), ' ', f.sentence))),
      ...(model.faults.length ? [] : [h('li', {class: 'quiet'}, model.measured ? 'Nothing was found that is wrong with it.' : 'Its sound has not been measured yet.')]))
    facts.replaceChildren(...one.facts.flatMap(([label, value]) => [h('dt', {}, label), h('dd', {}, value)]))
    draw_curve(); draw_play()
  }
  model.on('msg:custom', message => {
    if (message.kind === 'picture' && `${message.id}/${message.theme}` === shown) {
      if (message.error) { note.textContent = message.error; image.removeAttribute('src'); return }
      image.src = message.src
      ticks.replaceChildren(...message.ticks.map(([text, share], i) => h('span', {style: {bottom: `${share * 100}%`}}, i === message.ticks.length - 1 ? `${text} ${message.unit}` : text)))
      note.textContent = message.every_s ? `Each column is a moment, one every ${message.every_s < 90 ? `${message.every_s.toFixed(message.every_s < 10 ? 1 : 0)} s` : `${(message.every_s / 60).toFixed(1)} min`}. Press on it to play from there.` : 'Press on it to play from there.'
    }
    if (message.kind === 'sound' && wanted && message.id === wanted.id) {
      if (url) URL.revokeObjectURL(url)
      url = URL.createObjectURL(new Blob([bytesFrom(message.data)], {type: 'audio/wav'}))
      began = message.start; speed = message.speed
      audio.src = url
      audio.play().catch(() => draw_play())
    }
  })
  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw() }) } }
  model.on(['recording', 'faults', 'level', 'measured', 'windows', 'theme'], soon)
  new ResizeObserver(soon).observe(curve)
  draw()
  return root
}

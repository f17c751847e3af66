// One clip to look at and to listen to: spectrogram with its Hz axis, playhead, play.

const media = new Map()
const clip_address = (token, name, kind) => `workshop/clip/${token}/${name}.${kind}`

// A picture or a sound as an address within this page; asked for once, kept by the browser.
function fetch_media(token, name, kind) {
  const address = clip_address(token, name, kind)
  if (!media.has(address)) {
    media.set(address, fetch(address).then(async answer => {
      if (!answer.ok) throw new Error(await answer.text() || answer.statusText)
      const note = answer.headers.get('X-Clip')
      return {src: URL.createObjectURL(await answer.blob()), note: note ? JSON.parse(note) : null}
    }))
    media.get(address).catch(() => media.delete(address))
  }
  return media.get(address)
}

// The rest of the clips, one after the other, while the first one is listened to.
let fetching = null
async function fetch_all(token, n) {
  if (fetching === token) return
  fetching = token
  for (let clip = 0; clip < n; clip++) {
    for (const kind of [theme_now(), 'sound']) {
      if (fetching !== token) return  // there is another exercise
      try { await fetch_media(token, String(clip), kind) } catch { /* said when it is opened */ }
    }
  }
}

// A view that shows any clip: `show(token, name)`, `play()`, `stop()`.
let views = 0
function clip_view({small = false, label = 'clip'} = {}) {
  const image = tag('img', {alt: '', draggable: 'false', hidden: true})
  const marks = tag('div', {class: 'marks', 'aria-hidden': 'true'})
  const head = tag('div', {class: 'playhead'})
  const cause = tag('p', {class: 'cause', hidden: true})
  const button = tag('button', {class: small ? 'play small' : 'play', onclick: event => { event.stopPropagation(); toggle() }})
  const picture = tag('div', {class: 'picture waiting', onclick: () => toggle()}, image, marks, head, cause)
  const audio = tag('audio', {preload: 'auto'})
  const node = tag('div', {class: small ? 'clip small' : 'clip', fixed: `clip ${views++}`}, picture, audio, button)
  let shown = null, tick = 0, wish = false
  const listeners = []

  function draw_button() {
    const on = !audio.paused && !audio.ended
    node.classList.toggle('playing', on)
    button.replaceChildren(icon(on ? 'stop' : 'play', small ? 14 : 20), small ? '' : tag('span', {}, on ? 'Stop' : 'Play'))
    button.setAttribute('aria-label', `${on ? 'Stop' : 'Play'} ${label}`)
    cancelAnimationFrame(tick)
    const follow = () => {
      if (audio.duration) head.style.left = `${audio.currentTime / audio.duration * 100}%`
      tick = requestAnimationFrame(follow)
    }
    if (on) follow()
  }
  for (const event of ['play', 'pause', 'ended']) audio.addEventListener(event, draw_button)
  audio.addEventListener('play', () => listeners.forEach(f => f()))

  async function load_picture() {
    const mine = shown
    picture.classList.add('waiting')
    try {
      const {src, note} = await fetch_media(mine.token, mine.name, theme_now())
      if (mine !== shown) return
      image.src = src
      image.alt = `Spectrogram, ${note.seconds.toFixed(1)} seconds`
      const last = note.ticks.length - 1
      marks.replaceChildren(...note.ticks.map(([text, share], i) => tag('span', {class: 'hz', style: {bottom: `${share * 100}%`}},
        i === last ? `${text} ${note.unit}` : text)), tag('span', {class: 's'}, `${Number(note.seconds.toFixed(1))} s`))
      image.hidden = false; cause.hidden = true
      await image.decode?.().catch(() => {})
      if (mine === shown) picture.classList.remove('waiting')
    } catch (error) {
      if (mine !== shown) return
      picture.classList.remove('waiting')
      image.hidden = true; cause.hidden = false
      cause.textContent = String(error.message ?? error)
    }
  }
  async function load_sound() {
    const mine = shown
    try {
      const {src} = await fetch_media(mine.token, mine.name, 'sound')
      if (mine !== shown) return
      audio.src = src
      node.classList.remove('loading')
      if (wish) { wish = false; audio.play().catch(() => {}) }
    } catch { node.classList.remove('loading') }
  }
  function toggle() { if (audio.paused || audio.ended) play(); else stop() }
  function play() {
    if (!shown) return
    if (!audio.src) { wish = true; node.classList.add('loading'); return }
    audio.currentTime = 0
    audio.play().catch(() => {})
  }
  function stop() { wish = false; audio.pause() }
  function show(token, name) {
    if (shown && shown.token === token && shown.name === name) return
    stop()
    audio.removeAttribute('src')
    head.style.left = '0'
    shown = {token, name}
    image.hidden = true
    marks.replaceChildren()
    load_picture(); load_sound()
  }
  draw_button()
  return {node, show, play, stop, toggle, retheme: () => shown && load_picture(), on_play: f => listeners.push(f), audio}
}

// The labelled sounds most like a clip, once its answer has been told: why it is what it is.
function why_view(clip, headline) {
  const node = tag('section', {class: 'why', fixed: 'why', hidden: true})
  let shown = ''
  function show(token, number, examples) {
    const key = examples?.length ? `${token} ${number}` : ''
    if (key === shown) return
    shown = key
    node.hidden = !key
    node.replaceChildren(...(key ? [tag('h2', {}, headline), tag('div', {class: 'examples'}, examples.map(x => {
      const small = clip_view({small: true, label: `${x.label}, ${x.where}`})
      small.show(token, x.name)
      small.on_play(() => clip.stop())
      return tag('figure', {}, small.node, tag('figcaption', {}, tag('b', {}, x.label), tag('span', {}, x.where)))
    }))] : []))
  }
  return {node, show}
}

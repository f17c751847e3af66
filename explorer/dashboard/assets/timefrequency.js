// A large spectrogram with seconds and hertz on its axes: it can be zoomed, pointed at, and drawn on.

const hertz = hz => hz >= 1000 ? `${Number((hz / 1000).toPrecision(3))} kHz` : `${Number(hz.toPrecision(3))} Hz`
const clock = (seconds, digits = 2) => {
  const whole = Math.floor(seconds / 60), hours = Math.floor(whole / 60)
  const rest = (seconds - whole * 60).toFixed(digits).padStart(digits ? digits + 3 : 2, '0')
  return hours ? `${hours}:${String(whole % 60).padStart(2, '0')}:${rest}` : `${whole}:${rest}`
}
// What is asked for while an answer is on its way waits; meanwhile the old picture is stretched.
function timeFrequency({ask, measure, pointed, changed}) {
  const image = h('img', {alt: '', draggable: 'false'})
  const head = h('div', {class: 'playhead', 'aria-hidden': 'true'})
  const mark = h('div', {class: 'window', 'aria-hidden': 'true'}, h('span', {}, 'window'))
  const before = h('div', {class: 'veil'}), after = h('div', {class: 'veil'})
  const drawn_box = h('div', {class: 'box', hidden: true})
  const cross = h('div', {class: 'cross', hidden: true})
  const plot = h('div', {class: 'plot', tabindex: 0, role: 'img', 'aria-label': 'Spectrogram'}, image, before, after, mark, drawn_box, cross, head)
  const hz_axis = h('div', {class: 'axis y', 'aria-hidden': 'true'}), s_axis = h('div', {class: 'axis x', 'aria-hidden': 'true'})
  const node = h('div', {class: 'timefrequency'}, hz_axis, plot, s_axis)
  const levels = document.createElement('canvas')
  let sound = null, view = null, hz = null, picture = null, box = null, number = 0, timer = 0, level_data = null, drag = null

  // --- coordinates ---------------------------------------------------------------------------
  const to_s = x => view.start_s + x * (view.end_s - view.start_s)
  const from_s = s => (s - view.start_s) / (view.end_s - view.start_s)
  function to_hz(y) { // y from below
    const at = Math.max(0, Math.min(1, y)) * (picture.scale.length - 1), i = Math.min(picture.scale.length - 2, Math.floor(at))
    return picture.scale[i] + (at - i) * (picture.scale[i + 1] - picture.scale[i])
  }
  function from_hz(value) {
    const scale = picture.scale
    if (value <= scale[0]) return 0
    const i = scale.findIndex(other => other >= value)
    return i < 0 ? 1 : (i - 1 + (value - scale[i - 1]) / (scale[i] - scale[i - 1])) / (scale.length - 1)
  }

  // --- asking and drawing ----------------------------------------------------------------------
  function request() {
    clearTimeout(timer)
    timer = setTimeout(() => {
      const ratio = Math.min(window.devicePixelRatio || 1, 1.5)
      const size = [Math.round(plot.clientWidth * ratio), Math.round(plot.clientHeight * ratio)]
      if (size[0] > 20 && view) { node.classList.add('asking'); ask(++number, view.start_s, view.end_s, size, hz) }
    }, picture ? 90 : 0)
    place()
    changed()
  }
  function drawn(message) {
    if (message.number !== number) return
    node.classList.remove('asking')
    if (message.failed) return
    picture = message
    image.src = message.src
    level_data = null
    const grey = new Image()
    grey.onload = () => {
      levels.width = grey.width; levels.height = grey.height
      const paper = levels.getContext('2d', {willReadFrequently: true})
      paper.drawImage(grey, 0, 0)
      level_data = paper.getImageData(0, 0, grey.width, grey.height)
    }
    grey.src = message.levels
    plot.setAttribute('aria-label', `Spectrogram, ${clock(message.start_s, 1)} to ${clock(message.end_s, 1)}, ${hertz(message.scale[0])} to ${hertz(message.scale.at(-1))}`)
    hz_axis.replaceChildren(...message.ticks.map(([text, share]) => h('span', {style: {bottom: `${share * 100}%`}}, text)), h('b', {}, message.unit))
    place()
    changed()
  }
  // Everything at its place, the old picture stretched until the new one is there.
  function place() {
    if (!view) return
    const left = picture ? from_s(picture.start_s) : 0, right = picture ? from_s(picture.end_s) : 1
    image.style.left = `${left * 100}%`; image.style.width = `${(right - left) * 100}%`
    const a = from_s(sound.start_s), b = from_s(sound.end_s)
    mark.style.left = `${a * 100}%`; mark.style.width = `${(b - a) * 100}%`
    before.style.left = '0'; before.style.width = `${Math.max(0, a) * 100}%`
    after.style.left = `${Math.min(1, b) * 100}%`; after.style.width = `${Math.max(0, 1 - b) * 100}%`
    drawn_box.hidden = !box || !picture
    if (box && picture) {
      const x = from_s(box.start_s), y = from_hz(box.high_hz)
      Object.assign(drawn_box.style, {left: `${x * 100}%`, width: `${(from_s(box.end_s) - x) * 100}%`, top: `${(1 - y) * 100}%`, height: `${(y - from_hz(box.low_hz)) * 100}%`})
    }
    const span = view.end_s - view.start_s
    const most = Math.max(2, plot.clientWidth / 90)
    const rough = 10 ** Math.floor(Math.log10(span / most))
    const step = [1, 2, 5, 10].map(m => m * rough).find(d => span / d <= most) ?? rough * 10
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9))
    const marks = []
    for (let k = Math.ceil(view.start_s / step - 1e-9); k * step <= view.end_s + 1e-9; k++) marks.push(k * step)
    s_axis.replaceChildren(...marks.map(s => h('span', {style: {left: `${from_s(s) * 100}%`}}, clock(s, digits))))
  }

  // --- zoom ----------------------------------------------------------------------------------
  function show(range, {keepHz}) {
    view = {...range}
    if (!keepHz) hz = null
    request()
  }
  function zoom(by, at = null) {
    if (!view) return
    const centre = at ?? (box ? (box.start_s + box.end_s) / 2 : Math.min(view.end_s, Math.max(view.start_s, (sound.start_s + sound.end_s) / 2)))
    const span = Math.min(sound.duration_s, 120, Math.max(0.02, (view.end_s - view.start_s) * by))
    const share = (centre - view.start_s) / (view.end_s - view.start_s)
    pan_to(centre - span * share, span)
  }
  function pan_to(start, span) {
    const start_s = Math.max(0, Math.min(start, sound.duration_s - span))
    view = {start_s, end_s: Math.min(sound.duration_s, start_s + span)}
    request()
  }
  function zoomHz(by, at = null) {
    if (!picture) return
    const low = picture.scale[0], high = picture.scale.at(-1)
    const centre = at ?? (box ? (box.low_hz + box.high_hz) / 2 : (low + high) / 2)
    const span = Math.min(picture.rate / 2, Math.max(50, (high - low) * by))
    const start = Math.max(0, Math.min(centre - span * (centre - low) / (high - low), picture.rate / 2 - span))
    hz = [start, start + span]
    request()
  }
  function fit() {
    if (!box) return
    const margin = (box.end_s - box.start_s) * 0.08
    hz = [box.low_hz, Math.max(box.low_hz + 50, box.high_hz)]
    pan_to(box.start_s - margin, Math.max(0.02, box.end_s - box.start_s + 2 * margin))
  }
  function clear() { box = null; place(); changed(); pointed(null) }

  // --- pointer -------------------------------------------------------------------------------
  const at = event => {
    const room = plot.getBoundingClientRect()
    return [(event.clientX - room.left) / room.width, 1 - (event.clientY - room.top) / room.height].map(v => Math.max(0, Math.min(1, v)))
  }
  function level(x, y) {
    if (!level_data) return null
    const share = (to_s(x) - picture.start_s) / (picture.end_s - picture.start_s)
    if (share < 0 || share >= 1) return null
    const column = Math.floor(share * level_data.width), row = Math.min(level_data.height - 1, Math.floor((1 - y) * level_data.height))
    return -level_data.data[(row * level_data.width + column) * 4]
  }
  plot.addEventListener('pointermove', event => {
    if (!picture) return
    const [x, y] = at(event)
    cross.hidden = false
    Object.assign(cross.style, {left: `${x * 100}%`, top: `${(1 - y) * 100}%`})
    pointed({second: to_s(x), hz: to_hz(y), level: level(x, y)})
    if (drag && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 4) {
      const [x0, y0] = drag.at
      box = {start_s: to_s(Math.min(x, x0)), end_s: to_s(Math.max(x, x0)), low_hz: to_hz(Math.min(y, y0)), high_hz: to_hz(Math.max(y, y0))}
      place()
    }
  })
  plot.addEventListener('pointerdown', event => {
    if (event.button !== 0 || !picture) return
    drag = {x: event.clientX, y: event.clientY, at: at(event)}
    box = null
    plot.setPointerCapture(event.pointerId)
  })
  plot.addEventListener('pointerup', event => {
    if (!drag) return
    drag = null
    place(); changed()
    if (box) measure(box); else pointed(null)
  })
  plot.addEventListener('pointercancel', () => { drag = null })
  plot.addEventListener('pointerleave', () => { cross.hidden = true; if (!drag) pointed(null) })
  plot.addEventListener('wheel', event => {
    if (!picture) return
    event.preventDefault()
    const [x, y] = at(event), turned = Math.max(-60, Math.min(60, event.deltaY || event.deltaX))
    if (event.shiftKey) pan_to(view.start_s + (view.end_s - view.start_s) * turned / 400, view.end_s - view.start_s)
    else if (event.altKey) zoomHz(1.01 ** turned, to_hz(y))
    else zoom(1.008 ** turned, to_s(x))
  }, {passive: false})
  const watch = new ResizeObserver(() => { if (view && plot.clientWidth) request() })
  watch.observe(plot)

  return {
    node, show, zoom, zoomHz, fit, clear, drawn,
    get view() { return view },
    get box() { return box },
    get recording() { return sound?.recording },
    get words() { return picture?.words ?? '' },
    begin(now, same) { sound = now; box = null; if (!same) { picture = null; hz = null; image.removeAttribute('src'); hz_axis.replaceChildren() } },
    again() { if (view) request() },
    zoomed: whole => Boolean(hz) || Math.abs(view.start_s - whole.start_s) + Math.abs(view.end_s - whole.end_s) > 0.01,
    // What is heard: the frequencies of what was drawn around are not cut out, those of a zoom are.
    hzHeard: () => hz,
    head(second) { head.style.left = `${from_s(second) * 100}%` },
    sounding(is) { node.classList.toggle('playing', is === 'playing'); node.classList.toggle('loading', is === 'waiting') },
    end() { watch.disconnect(); clearTimeout(timer) },
  }
}

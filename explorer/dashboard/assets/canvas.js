// The map's picture and gestures. All windows are drawn here, from two bytes for each coordinate and
// one for the colour: so it moves and zooms at once, with a million of them, and without a graphics
// card. Places on the map are shares of its width and height, from the lower left corner.

const OUT = 255          // the code of a window that the filter leaves out
const AS_DISCS = 6000    // up to so many windows are drawn as smooth discs, more as pixels
const REACH_PX = 14      // so near a window must be to be meant by a tap
const MOST_ZOOM = 400

// act: {select(corners, add), tap(row, add), clear()}
function chart(model, act) {
  const base = h('canvas', {class: 'base', 'aria-hidden': 'true'})
  const top = h('canvas', {class: 'top', tabindex: 0, role: 'application', 'aria-roledescription': 'map'})
  const labels = h('div', {class: 'labels'})
  const root = h('div', {class: 'chart'}, base, labels, top)
  let zoom = 1, mid = [0.5, 0.5], tool = 'lasso', outline = null, path = null
  let P = new Uint16Array(0), C = new Uint8Array(0), order = null, width = 0, height = 0, dpr = 1

  const px = x => ((x - mid[0]) * zoom + 0.5) * width
  const py = y => (0.5 - (y - mid[1]) * zoom) * height
  const x_at = x => (x / width - 0.5) / zoom + mid[0]
  const y_at = y => (0.5 - y / height) / zoom + mid[1]
  const at = row => [px(P[2 * row] / 65535), py(P[2 * row + 1] / 65535)]

  // --- data ------------------------------------------------------------------------------------
  const bytes = value => value instanceof ArrayBuffer ? value : value?.buffer instanceof ArrayBuffer
    ? value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength) : new ArrayBuffer(0)
  function take_points() { P = new Uint16Array(bytes(model.points)); order = null }
  function take_codes() { C = new Uint8Array(bytes(model.codes)); order = null }
  let found, marks
  function take_found() {
    const [styles, examples] = [model.found_styles, model.found_examples].map(value => new Uint8Array(bytes(value)))
    found = { rows: new Uint32Array(bytes(model.found)), styles, examples, shapes: model.found_shapes }
  }
  function take_marks() { marks = new Uint32Array(bytes(model.marks)) }
  // Where the order of colours means something, the higher code lies on top.
  function in_order() {
    if (order || !model.ordered) return order
    const starts = new Uint32Array(257)
    for (let i = 0; i < C.length; i++) starts[((C[i] + 1) & 255) + 1]++
    for (let c = 0; c < 256; c++) starts[c + 1] += starts[c]
    order = new Uint32Array(C.length)
    for (let i = 0; i < C.length; i++) order[starts[(C[i] + 1) & 255]++] = i
    return order
  }

  // --- picture ---------------------------------------------------------------------------------
  const css = name => getComputedStyle(root).getPropertyValue(name).trim()
  function radius() {
    const n = P.length / 2
    const plain = n <= 300 ? 4.2 : Math.max(0.5, 4.2 - 0.95 * Math.log10(n / 300))
    return Math.min(6, plain * Math.pow(zoom, 0.3))
  }
  function rgb(colour) { return [1, 3, 5].map(i => parseInt(colour.slice(i, i + 2), 16)) }
  function draw_base() {
    const context = base.getContext('2d'), n = P.length / 2
    context.clearRect(0, 0, base.width, base.height)
    if (!n || C.length !== n) return
    if (n <= AS_DISCS) discs(context, n); else pixels(context, n)
    root.dataset.drawn = n  // for tests: what a person sees is a picture
  }
  function discs(context, n) {
    const r = radius() * dpr, groups = new Map()
    for (let i = 0; i < n; i++) { const c = C[i]; if (!groups.has(c)) groups.set(c, []); groups.get(c).push(i) }
    const codes = [...groups.keys()].sort((a, b) => ((a + 1) & 255) - ((b + 1) & 255))
    for (const code of codes) {
      context.fillStyle = code === OUT ? css('--line') : model.colours[code] ?? '#888888'
      context.globalAlpha = code === OUT ? 0.55 : 0.72
      for (const i of groups.get(code)) {
        const x = px(P[2 * i] / 65535) * dpr, y = py(P[2 * i + 1] / 65535) * dpr
        if (x < -r || y < -r || x > base.width + r || y > base.height + r) continue
        context.beginPath(); context.arc(x, y, code === OUT ? r * 0.7 : r, 0, 6.2832); context.fill()
      }
    }
    context.globalAlpha = 1
  }
  function pixels(context, n) {
    const W = base.width, H = base.height
    const counts = new Uint16Array(W * H), last = new Uint8Array(W * H)
    const r = Math.max(0.5, radius() * dpr), reach = Math.floor(r)
    const stamp = []
    for (let dy = -reach; dy <= reach; dy++) for (let dx = -reach; dx <= reach; dx++) if (dx * dx + dy * dy <= r * r) stamp.push([dx, dy, dy * W + dx])
    const ax = zoom * W / 65535, bx = (0.5 - mid[0] * zoom) * W
    const ay = -zoom * H / 65535, by = (0.5 + mid[1] * zoom) * H
    const sorted = in_order(), several = stamp.length > 1
    for (let k = 0; k < n; k++) {
      const i = sorted ? sorted[k] : k
      const x = (P[2 * i] * ax + bx) | 0, y = (P[2 * i + 1] * ay + by) | 0
      if (x < 0 || y < 0 || x >= W || y >= H) continue
      const code = C[i], place = y * W + x
      if (!several) {
        if (code === OUT && counts[place]) continue
        counts[place] += counts[place] < 65535 ? 1 : 0; last[place] = code
        continue
      }
      for (let s = 0; s < stamp.length; s++) {
        const [dx, dy, step] = stamp[s]
        if (x + dx < 0 || x + dx >= W || y + dy < 0 || y + dy >= H) continue
        const p = place + step
        if (code === OUT && counts[p]) continue
        if (counts[p] < 65535) counts[p]++
        last[p] = code
      }
    }
    let most = 1
    for (let p = 0; p < counts.length; p++) if (counts[p] > most) most = counts[p]
    const image = context.createImageData(W, H), out = new Uint32Array(image.data.buffer)
    const palette = new Uint32Array(256)
    model.colours.forEach((colour, c) => { const [red, green, blue] = rgb(colour); palette[c] = blue << 16 | green << 8 | red })
    const [red, green, blue] = rgb(css('--line-strong')); palette[OUT] = blue << 16 | green << 8 | red
    const scale = 1 / Math.log1p(most)
    for (let p = 0; p < counts.length; p++) {
      if (!counts[p]) continue
      const code = last[p]
      const alpha = code === OUT ? 60 : 115 + 140 * Math.log1p(counts[p]) * scale
      out[p] = (alpha << 24 | palette[code]) >>> 0
    }
    context.putImageData(image, 0, 0)
  }
  const shapes = new Map()
  const shape = name => { if (!shapes.has(name)) shapes.set(name, new Path2D(SHAPES[name] ?? SHAPES.circle)); return shapes.get(name) }
  function draw_top() {
    const context = top.getContext('2d'), accent = css('--accent')
    context.setTransform(dpr, 0, 0, dpr, 0, 0)
    context.clearRect(0, 0, width, height)
    context.lineWidth = 1.1; context.strokeStyle = css('--unsure'); context.globalAlpha = 0.8
    for (const [from, to] of model.torn) {
      context.beginPath(); context.moveTo(...at(from)); context.lineTo(...at(to)); context.stroke()
    }
    context.globalAlpha = 1
    root.dataset.shapes = found.rows.length
    const edge = css('--text'), grown = Math.pow(zoom, 0.15)
    const colours = Array.from({ length: 8 }, (_, style) => css(`--class-${style}`))
    found.rows.forEach((row, i) => {
      const [x, y] = at(row)
      if (x < -9 || y < -9 || x > width + 9 || y > height + 9) return
      const style = found.styles[i], example = found.examples[i]
      const size = (example ? 11.5 : 8.5) * grown
      context.save(); context.translate(x - size / 2, y - size / 2); context.scale(size / 16, size / 16)
      context.fillStyle = colours[style % 8]; context.fill(shape(found.shapes[style]))
      if (example) { context.lineWidth = 1.6; context.strokeStyle = edge; context.stroke(shape(found.shapes[style])) }
      context.restore()
    })
    context.strokeStyle = accent; context.lineWidth = 1.4
    for (const row of marks) { const [x, y] = at(row); context.beginPath(); context.arc(x, y, 4.6, 0, 6.2832); context.stroke() }
    if (model.focus !== null && model.focus * 2 < P.length) {
      const [x, y] = at(model.focus)
      context.lineWidth = 2; context.beginPath(); context.arc(x, y, 9, 0, 6.2832); context.stroke()
    }
    const line = path ?? (model.selected && outline ? outline.map(([x, y]) => [px(x), py(y)]) : null)
    if (line && line.length > 1) {
      context.beginPath(); line.forEach(([x, y], i) => i ? context.lineTo(x, y) : context.moveTo(x, y)); context.closePath()
      context.globalAlpha = 0.1; context.fillStyle = accent; context.fill(); context.globalAlpha = 1
      context.setLineDash([5, 4]); context.lineWidth = 1.5; context.stroke(); context.setLineDash([])
    }
    draw_labels()
  }
  // Names of places; of two that would overlap the larger one stays.
  let named = []
  function draw_labels() {
    const taken = []
    for (const [node, label] of named) {
      const half = node.offsetWidth / 2 || label.name.length * 3.2
      const there = [px(label.x), py(label.y)]
      const seen = there[0] > 0 && there[0] < width && there[1] > 0 && there[1] < height
      const x = Math.min(width - half - 6, Math.max(half + 6, there[0])), y = Math.max(56, there[1] - 15)
      const box = [x - half - 3, y - 9, x + half + 3, y + 9]
      const free = seen && !taken.some(t => t[0] < box[2] && box[0] < t[2] && t[1] < box[3] && box[1] < t[3])
      node.style.visibility = free ? 'visible' : 'hidden'
      if (!free) continue
      taken.push(box)
      node.style.transform = `translate(${x}px, ${y}px) translate(-50%, -50%)`
    }
  }
  function take_labels() {
    named = model.labels.map(label => [h('button', {class: 'place-name', title: `${label.name}: ${many(label.n, 'window')}. ${label.reason}\nClick to select them.`,
      onclick: () => act.label(label.code)}, label.name), label])
    labels.replaceChildren(...named.map(([node]) => node))
  }
  let asked = 0
  const BASE = 2, TOP = 1
  function soon(what) {
    if (!asked) requestAnimationFrame(() => { const now = asked; asked = 0; if (now & BASE) draw_base(); draw_top() })
    asked |= what
  }
  function resize() {
    width = root.clientWidth; height = root.clientHeight
    dpr = Math.min(2, window.devicePixelRatio || 1)
    for (const canvas of [base, top]) { canvas.width = Math.max(1, Math.round(width * dpr)); canvas.height = Math.max(1, Math.round(height * dpr)) }
    soon(BASE)
  }

  // --- moving about ------------------------------------------------------------------------------
  function move(dx, dy) {
    mid = [mid[0] - dx / width / zoom, mid[1] + dy / height / zoom].map(m => Math.min(1.2, Math.max(-0.2, m)))
    soon(BASE)
  }
  function zoom_by(factor, x = width / 2, y = height / 2) {
    const [u, v] = [x_at(x), y_at(y)]
    zoom = Math.min(MOST_ZOOM, Math.max(0.8, zoom * factor))
    mid = [u - (x / width - 0.5) / zoom, v - (0.5 - y / height) / zoom]
    soon(BASE)
  }
  function whole() { zoom = 1; mid = [0.5, 0.5]; soon(BASE) }
  top.addEventListener('wheel', event => {
    event.preventDefault()
    zoom_by(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), event.offsetX, event.offsetY)
  }, {passive: false})

  // --- selecting -----------------------------------------------------------------------------------
  const pointers = new Map()
  let began = null
  const spot = event => { const box = top.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top] }
  top.addEventListener('pointerdown', event => {
    if (event.button) return
    top.setPointerCapture(event.pointerId)
    pointers.set(event.pointerId, spot(event))
    began = pointers.size === 1 ? spot(event) : null
    path = null
  })
  top.addEventListener('pointermove', event => {
    const before = pointers.get(event.pointerId)
    if (!before) return
    const now = spot(event)
    pointers.set(event.pointerId, now)
    if (pointers.size === 2) {
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, p]) => p)
      const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1])
      zoom_by(apart(now, other) / Math.max(1, apart(before, other)), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2)
      return
    }
    if (!began) return
    if (tool === 'pan') { move(now[0] - before[0], now[1] - before[1]); if (Math.hypot(now[0] - began[0], now[1] - began[1]) > 4) path = []; return }
    if (!path && Math.hypot(now[0] - began[0], now[1] - began[1]) < 4) return
    if (tool === 'box') path = [began, [now[0], began[1]], now, [began[0], now[1]]]
    else { path ??= [began]; path.push(now) }
    soon(TOP)
  })
  function lift(event) {
    const was = pointers.get(event.pointerId)
    pointers.delete(event.pointerId)
    if (!was || !began) { path = null; return }
    const [from, drawn] = [began, path]
    began = null; path = null
    if (event.type === 'pointercancel') { soon(TOP); return }
    if (!drawn) { tap(from, event.shiftKey); return }
    if (tool !== 'pan' && drawn.length > 2) choose(drawn, event.shiftKey)
  }
  function choose(corners, add) {
    outline = corners.map(([x, y]) => [x_at(x), y_at(y)])
    act.select(outline, add)
    soon(TOP)
  }
  top.addEventListener('pointerup', lift)
  top.addEventListener('pointercancel', lift)
  function nearest([x, y]) {
    let best = -1, least = REACH_PX * REACH_PX
    const u = x_at(x) * 65535, v = y_at(y) * 65535, kx = width * zoom / 65535, ky = height * zoom / 65535
    for (let i = 0; i < C.length; i++) {
      const dx = (P[2 * i] - u) * kx, dy = (P[2 * i + 1] - v) * ky, d = dx * dx + dy * dy
      if (d < least && C[i] !== OUT) { least = d; best = i }
    }
    return best
  }
  function tap(place, add) {
    outline = null
    const row = nearest(place)
    if (row >= 0) act.tap(row, add); else act.clear()
    soon(TOP)
  }
  // Without a mouse: a circle in the middle of the map chooses, the map is moved under it.
  const KEYS = {ArrowLeft: () => move(60, 0), ArrowRight: () => move(-60, 0), ArrowUp: () => move(0, 60), ArrowDown: () => move(0, -60),
    '+': () => zoom_by(1.4), '=': () => zoom_by(1.4), '-': () => zoom_by(1 / 1.4), 0: whole, Escape: () => act.clear(),
    Enter: () => choose(Array.from({length: 24}, (_, i) => [width / 2 + 40 * Math.cos(i * Math.PI / 12), height / 2 + 40 * Math.sin(i * Math.PI / 12)]), false)}
  top.addEventListener('keydown', event => {
    const key = KEYS[event.key]
    if (!key || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault(); event.stopPropagation()
    key()
  })

  model.on('points', () => { take_points(); soon(BASE) })
  model.on(['codes', 'colours', 'ordered'], () => { take_codes(); soon(BASE) })
  model.on(['found', 'found_styles', 'found_examples', 'found_shapes'], () => { take_found(); soon(TOP) })
  model.on('marks', () => { take_marks(); soon(TOP) })
  model.on(['focus', 'torn', 'selected'], () => soon(TOP))
  model.on('labels', () => { take_labels(); soon(TOP) })
  model.on('emptied', () => { outline = null; soon(TOP) })
  new ResizeObserver(resize).observe(root)
  take_points(); take_codes(); take_found(); take_marks(); take_labels()
  // The corner that holds fewest windows, for what must lie on the map: [right, bottom].
  function emptiest(wide, tall) {
    const corners = [[0, 0], [1, 0], [0, 1], [1, 1]], held = [0, 0, 0, 0]
    const step = Math.max(1, Math.floor(C.length / 20000))
    for (let i = 0; i < C.length; i += step) {
      const x = px(P[2 * i] / 65535), y = py(P[2 * i + 1] / 65535) - 44
      corners.forEach(([right, bottom], k) => {
        if ((right ? x > width - wide : x < wide) && (bottom ? y > height - 44 - tall : y < tall)) held[k]++
      })
    }
    return corners[held.indexOf(Math.min(...held))]
  }
  return {root, top, whole, emptiest, zoom_by, redraw: () => soon(BASE), use: name => { tool = name; top.style.cursor = name === 'pan' ? 'grab' : 'crosshair' }}
}

// Small tools that every piece of the screen shares. Names of files, classes and people are hostile
// text: they only ever become text nodes and attributes, never markup.

const SVG = 'http://www.w3.org/2000/svg'

function put(node, properties, children) {
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value)
    else if (key === 'style') for (const [name, v] of Object.entries(value)) node.style.setProperty(name, v)
    else if (key === 'value') node.value = value
    else node.setAttribute(key, value === true ? '' : value)
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue
    node.append(child instanceof Node ? child : document.createTextNode(String(child)))
  }
  return node
}

// An HTML element: h('button', {class: 'quiet', onclick: f}, 'text', child)
const h = (tag, properties, ...children) => put(document.createElement(tag), properties, children)

// An SVG element, the same way.
const s = (tag, properties, ...children) => put(document.createElementNS(SVG, tag), properties, children)

// New content for an element; whoever was on a button of it stays on the one at the same place.
function refill(node, ...children) {
  const can = 'button:not([disabled]), input, select, [tabindex]'
  const active = node.getRootNode().activeElement
  const at = active && node !== active && node.contains(active) ? [...node.querySelectorAll(can)].indexOf(active) : -1
  node.replaceChildren()
  put(node, null, children)
  if (at >= 0 && !node.contains(active)) { const now = node.querySelectorAll(can); now[Math.min(at, now.length - 1)]?.focus({preventScroll: true}) }
}

const SHAPES = {
  circle: 'M8 2.4a5.6 5.6 0 1 0 0 11.2A5.6 5.6 0 1 0 8 2.4z',
  square: 'M3 3h10v10H3z',
  triangle: 'M8 2.2 14.2 13.2H1.8z',
  diamond: 'M8 1.4 14.6 8 8 14.6 1.4 8z',
  inverted_triangle: 'M8 13.8 1.8 2.8h12.4z',
  hex: 'M4.6 2.2h6.8L14.8 8l-3.4 5.8H4.6L1.2 8z',
  star: 'M8 1.2l2 4.6 5 .4-3.8 3.3 1.2 4.9L8 11.8l-4.4 2.6 1.2-4.9L1 6.2l5-.4z',
  plus: 'M6 2h4v4h4v4h-4v4H6v-4H2V6h4z',
}

// The sign of a class: its shape in its colour.
function sign(shape, style, size = 14) {
  const path = s('path', {d: SHAPES[shape] ?? SHAPES.circle})
  return s('svg', {viewBox: '0 0 16 16', width: size, height: size, 'aria-hidden': 'true',
    class: 'sign', style: {fill: `var(--class-${style % 8})`}}, path)
}

const ICONS = {
  play: 'M5 3.2v9.6L13 8z',
  stop: 'M4.2 4.2h7.6v7.6H4.2z',
  undo: 'M6.2 3 2.6 6.6l3.6 3.6M2.9 6.6h6.3a3.9 3.9 0 0 1 0 7.6H6.6',
  close: 'M4 4l8 8M12 4l-8 8',
  search: 'M7 2.6a4.4 4.4 0 1 0 0 8.8A4.4 4.4 0 1 0 7 2.6zM10.3 10.3l3.4 3.4',
  file: 'M8 10.4V2.6M4.9 5.6 8 2.5l3.1 3.1M2.8 10.2v3h10.4v-3',
  moon: 'M12.9 9.7A5.6 5.6 0 0 1 6.3 3.1a5.6 5.6 0 1 0 6.6 6.6z',
  sun: 'M8 5.2a2.8 2.8 0 1 0 0 5.6A2.8 2.8 0 1 0 8 5.2zM8 1.4v1.4M8 13.2v1.4M1.4 8h1.4M13.2 8h1.4M3.3 3.3l1 1M11.7 11.7l1 1M3.3 12.7l1-1M11.7 4.3l1-1',
  lasso: 'M8 2.8c3.3 0 5.6 1.5 5.6 3.7S11.300 10.300 8 10.300c-.9 0-1.800-.1-2.500-.3M8 2.800c-3.300 0-5.600 1.500-5.600 3.700 0 1.300.8 2.300 2.100 2.900M5.500 10c0 .9-.7 1.500-1.500 1.500S2.600 10.900 2.600 10s.6-1.400 1.400-1.400S5.500 9.100 5.500 10zM5.300 11.200c-.1 1.200-.8 2-2 2.300',
  box: 'M3 3h10v10H3z',
  pan: 'M8 1.800v12.400M1.800 8h12.400M6.200 3.500 8 1.700l1.800 1.800M6.200 12.500 8 14.300l1.800-1.800M3.500 6.200 1.700 8l1.800 1.800M12.500 6.200 14.300 8l-1.800 1.800',
  reset: 'M2.600 6V2.600H6M13.400 6V2.600H10M2.600 10v3.400H6M13.400 10v3.400H10',
  yes: 'M3 8.600 6.400 12 13 4.600',
  no: 'M4 4l8 8M12 4l-8 8',
  unsure: 'M5.400 5.900c0-1.600 1.100-2.600 2.700-2.600s2.600 1 2.600 2.400c0 1.900-2.600 2-2.600 4M8.050 12.400v.3',
  down: 'M4 6.200 8 10.200l4-4',
  more: 'M3 8h.1M8 8h.1M13 8h.1',
  grid: 'M2.800 2.800h4.200v4.200H2.800zM9 2.800h4.200v4.200H9zM2.800 9h4.200v4.200H2.800zM9 9h4.200v4.200H9z',
  table: 'M2.600 4h10.800M2.600 8h10.800M2.600 12h10.800',
  like: 'M5.500 3.500a4.500 4.500 0 0 0 0 9M10.500 3.500a4.500 4.500 0 0 1 0 9M8 6v4',
  left: 'M9.800 4 5.800 8l4 4',
  right: 'M6.200 4l4 4-4 4',
  pencil: 'M3 13l.7-2.900L10.900 2.900l2.200 2.200L5.900 12.300z',
  filter: 'M2.200 3.200h11.600L9.400 8.400v4.600L6.600 11.400V8.400z',
  beside: 'M2.200 3h5v10h-5zM8.800 3h5v10h-5z',
  export: 'M8 2.600v7.600M4.900 7.300 8 10.400l3.100-3.100M2.800 11v2.300h10.400V11',
}
const SOLID = new Set(['play', 'stop'])

function icon(name, size = 14) {
  return s('svg', {viewBox: '0 0 16 16', width: size, height: size, 'aria-hidden': 'true',
    class: SOLID.has(name) ? 'icon solid' : 'icon'}, s('path', {d: ICONS[name]}))
}

const count = n => n === null || n === undefined ? '–' : Number(n).toLocaleString('en-US')
const many = (n, one, more = one + 's') => `${count(n)} ${n === 1 ? one : more}`
// Scores the way papers print them: .74
const score = x => x >= 0.995 ? '1.0' : x.toFixed(2).replace(/^(-?)0/, '$1')
// What is nearly nothing is not said to be nothing.
const tiny = x => x > 0 && x < 0.005 ? '<.01' : score(x)

function bytesFrom(base64) {
  const text = atob(base64)
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

// A menu under a button; closes on choice, Escape, or a press elsewhere.
function menu(button, items, choose) {
  const root = button.getRootNode()
  root.querySelectorAll('.menu').forEach(old => old.remove())
  const list = h('div', {class: 'menu', role: 'menu'}, items.map(item => item === null
    ? h('hr')
    : h('button', {...(item.chosen === undefined ? {role: 'menuitem'} : {role: 'menuitemradio', 'aria-checked': String(item.chosen)}),
      class: item.chosen ? 'chosen' : null, disabled: item.disabled,
      onclick: () => { close(); choose(item.value) }},
      h('span', {}, item.label), item.note && h('small', {}, item.note))))
  const away = event => {
    const path = event.composedPath()
    if (!path.includes(list) && !path.includes(button)) close()
  }
  const key = event => {
    if (event.key === 'Escape') { close(); button.focus() }
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const all = [...list.querySelectorAll('button:not([disabled])')]
      const step = event.key === 'ArrowDown' ? 1 : -1
      all[(all.indexOf(root.activeElement) + step + all.length) % all.length]?.focus()
      event.preventDefault()
    }
    event.stopPropagation()
  }
  function close() { list.remove(); document.removeEventListener('pointerdown', away, true) }
  list.addEventListener('keydown', key)
  document.addEventListener('pointerdown', away, true)
  button.after(list)
  list.querySelector('.chosen, button:not([disabled])')?.focus({preventScroll: true})
}

// Messages to Python. In a notebook they wait until the kernel's answers can be received: what it
// sends before the page knows the app's root is lost, and may leave all later messages unreadable.
function sender(model, view) {
  const waiting = []
  // Bokeh takes a piece that has just come from the server for one that was made here, and sends all
  // of it back with its first message, which fails. The server knows it.
  const is_old = () => view.model.document?._new_models?.delete(view.model)
  let open = model.whole_page
  const known = () => {
    const root = view.root.model.id
    // VS Code and Colab do not tell which roots there are.
    return window.PyViz?.plot_index?.[root] != null || ((!window.PyViz || model.carrier !== 'default') && tries > 10)
  }
  let tries = 0
  const look = () => {
    if (!known() && tries++ < 200) { setTimeout(look, 50); return }
    setTimeout(() => {
      open = true
      is_old()
      model.send_msg({action: 'hello'})
      for (const message of waiting) model.send_msg(message)
    }, 100)
  }
  if (!open) setTimeout(look, 0)
  // On a served page what was judged is kept until the server has heard it: see connection.js.
  if (open) model.on('msg:custom', message => {
    if (message.kind !== 'receipt') return
    window.explorerConnection?.heard(message.receipt)
    if (message.failed) post.refused?.() // what was marked ahead of the answer is not so
  })
  const post = (action, more = {}) => {
    is_old()
    const message = {action, ...more}
    if (!open) { waiting.push(message); return }
    const kept = window.explorerConnection ? window.explorerConnection.keep(message, model) : message
    if (kept) model.send_msg(kept)
  }
  return post
}

// While a field is typed in, neither the gallery's keys nor a notebook's shortcuts may act.
const keepKeys = node => { node.addEventListener('keydown', event => event.stopPropagation()); return node }

// The classroom: what the student's and the teacher's page share. Answers with their signs, bars of
// what a class answered, the theme, and what happens when the connection is lost.

// An element that may take the place of an older one of its kind (see `settle`). `key` tells kinds
// apart that look alike; `fixed` says that the element looks after itself.
function tag(name, properties, ...children) {
  const plain = {}, on = {}
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (key.startsWith('on')) on[key.slice(2)] = value
    else if (key !== 'key' && key !== 'fixed') plain[key] = value
  }
  const node = h(name, plain, ...children)
  node.own = {on, key: properties?.key, fixed: properties?.fixed}
  for (const event of Object.keys(on)) listen_to(node, event)
  return node
}
const listen_to = (node, event) => node.addEventListener(event, e => node.own.on[event]?.(e))

// Makes children what is wanted and changes no more than that: while answers come in several times a
// second, a button stays the same button under the finger, keeps its focus, and a bar grows.
function settle(parent, ...wanted) {
  const fresh = wanted.flat(Infinity).filter(x => x !== null && x !== undefined && x !== false && x !== '')
    .map(x => x instanceof Node ? x : document.createTextNode(String(x)))
  let old = parent.firstChild
  for (const node of fresh) {
    if (old === node) old = old.nextSibling
    else if (old && alike(old, node)) { merge(old, node); old = old.nextSibling }
    else parent.insertBefore(node, old)
  }
  while (old) { const next = old.nextSibling; old.remove(); old = next }
}
const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.own?.key === b.own?.key
  && a.own?.fixed === b.own?.fixed
function merge(a, b) {
  if (a.nodeType === Node.TEXT_NODE) { if (a.data !== b.data) a.data = b.data; return }
  if (a.own?.fixed !== undefined) return
  for (const {name} of [...a.attributes]) if (!b.hasAttribute(name)) a.removeAttribute(name)
  for (const {name, value} of b.attributes) if (a.getAttribute(name) !== value) a.setAttribute(name, value)
  if (a.own && b.own) {
    for (const event of Object.keys(b.own.on)) if (!(event in a.own.on)) listen_to(a, event)
    a.own.on = b.own.on
  }
  settle(a, ...b.childNodes)
}

const ANSWER_ICONS = {yes: 'yes', no: 'no', none: 'close', unsure: 'unsure'}
const ANSWER_COLOURS = {yes: 'var(--accent)', no: 'var(--no)', none: 'var(--quiet)', unsure: 'var(--unsure)'}

const answer_colour = choice => choice.style === null || choice.style === undefined
  ? ANSWER_COLOURS[choice.answer] : `var(--class-${choice.style % 8})`
const answer_sign = (choice, size = 18) => choice.shape ? sign(choice.shape, choice.style, size)
  : tag('span', {class: 'answer-icon', style: {color: answer_colour(choice)}}, icon(ANSWER_ICONS[choice.answer], size))
const answer_words = choice => ({none: 'none of these', unsure: 'not sure'})[choice.answer] ?? choice.answer
const percent = x => `${Math.round(100 * x)} %`
const sum = list => list.reduce((a, b) => a + b, 0)

// One bar for a clip: how many gave each answer, with a sentence for those who cannot see it.
function answer_bar(choices, counts, most) {
  const total = sum(counts)
  const words = choices.map((c, i) => counts[i] ? `${counts[i]} ${answer_words(c)}` : '').filter(Boolean).join(', ')
  return tag('div', {class: 'answer-bar', role: 'img', 'aria-label': words || 'no answers yet'},
    choices.map((c, i) => counts[i] ? tag('i', {title: `${counts[i]} ${answer_words(c)}`,
      class: c.style === null ? `part ${c.answer}` : 'part', style: {width: `${counts[i] / Math.max(1, most ?? total) * 100}%`, '--mine': answer_colour(c)}},
      counts[i] / Math.max(1, most ?? total) > 0.07 ? tag('b', {}, counts[i]) : '') : ''))
}

// What the page has to say, at its lower edge.
function toasts(model, send) {
  const toast = tag('div', {class: 'toast', role: 'status', hidden: true})
  let timer = 0
  const close = () => { toast.hidden = true; send('dismiss') }
  const show = () => {
    const notice = model.notice
    clearTimeout(timer)
    toast.hidden = !notice
    if (!notice) return
    toast.className = `toast ${notice.kind}`
    toast.setAttribute('role', notice.kind === 'error' ? 'alert' : 'status')
    toast.replaceChildren(tag('span', {}, notice.text), tag('button', {class: 'bare', 'aria-label': 'Close', onclick: close}, icon('close', 14)))
    if (notice.kind !== 'error') timer = setTimeout(close, 6000)
  }
  model.on('notice', show)
  show()
  return toast
}

// The system's theme, or the one chosen here or on the dashboard before.
const theme_wish = () => { try { return localStorage.getItem('explorer-theme') } catch { return null } }
const theme_now = () => theme_wish() ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')
function theme_button(host, changed) {
  const button = tag('button', {class: 'bare theme', onclick: () => {
    try { localStorage.setItem('explorer-theme', theme_now() === 'dark' ? 'light' : 'dark') } catch { /* private mode */ }
    draw(); changed() }})
  function draw() {
    const wish = theme_wish(), dark = theme_now() === 'dark'
    host.classList.toggle('light', wish === 'light'); host.classList.toggle('dark', wish === 'dark')
    button.replaceChildren(icon(dark ? 'sun' : 'moon', 18))
    button.setAttribute('aria-label', dark ? 'Light theme' : 'Dark theme')
  }
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { draw(); changed() })
  draw()
  return button
}

// A lost connection is said at once. As soon as the server answers again the page is opened anew:
// who she is, where she was, and what was not yet written down is kept in the browser. Gives what
// looks whether the server is there; for an answer that nobody confirms, `anew` opens the page in
// any case: a phone that slept may hold a socket that nobody listens to.
function watch_connection(model, root) {
  const lost = tag('div', {class: 'lost', role: 'alert', hidden: true}, tag('b', {}, 'Connection lost'),
    tag('span', {}, 'Trying to come back. Your answers are safe.'))
  root.prepend(lost)
  let gone = false, leaving = false
  async function there() {
    const stop = new AbortController()
    const limit = setTimeout(() => stop.abort(), 4000)
    try { return (await fetch('alive', {cache: 'no-store', signal: stop.signal})).ok } catch { return false } finally { clearTimeout(limit) }
  }
  async function again() {
    if (await there()) { leaving = true; location.reload(); return }
    // Not thirty pages in the same moment: the server has enough to do when it is back.
    setTimeout(again, 1000 + 1500 * Math.random())
  }
  function leave() {
    if (gone || leaving) return
    gone = true
    lost.hidden = false
    setTimeout(again, 500 + 1000 * Math.random())
  }
  async function look(anew = false) {
    if (gone) return
    if (!await there()) leave()
    else if (anew) { leaving = true; location.reload() }
  }
  model.document?.on_event?.('connection_lost', leave)
  addEventListener('beforeunload', () => { leaving = true })
  addEventListener('pageshow', event => { if (event.persisted) location.reload() })
  addEventListener('offline', () => setTimeout(look, 500))
  addEventListener('online', () => look())
  document.addEventListener('visibilitychange', () => { if (!document.hidden) look() })
  return look
}

// What a browser keeps, where it may.
const recall = key => { try { return JSON.parse(localStorage.getItem(key)) } catch { return null } }
const remember = (key, value) => { try { localStorage.setItem(key, JSON.stringify(value)) } catch { /* private mode */ } }
const forget = key => { try { localStorage.removeItem(key) } catch { /* private mode */ } }

// The classroom: what the student's and the teacher's page share. Answers with their signs, bars of
// what a class answered, the theme, and what happens when the connection is lost.

const ANSWER_ICONS = {yes: 'yes', no: 'no', none: 'close', unsure: 'unsure'}
const ANSWER_COLOURS = {yes: 'var(--accent)', no: 'var(--no)', none: 'var(--no)', unsure: 'var(--unsure)'}

const answer_colour = choice => choice.style === null || choice.style === undefined
  ? ANSWER_COLOURS[choice.answer] : `var(--class-${choice.style % 8})`
const answer_sign = (choice, size = 18) => choice.shape ? sign(choice.shape, choice.style, size)
  : h('span', {class: 'answer-icon', style: {color: answer_colour(choice)}}, icon(ANSWER_ICONS[choice.answer], size))
const answer_words = choice => ({none: 'none of these', unsure: 'not sure'})[choice.answer] ?? choice.answer
const percent = x => `${Math.round(100 * x)} %`
const sum = list => list.reduce((a, b) => a + b, 0)

// One bar for a clip: how many gave each answer, with a sentence for those who cannot see it.
function answer_bar(choices, counts, most) {
  const total = sum(counts)
  const words = choices.map((c, i) => counts[i] ? `${counts[i]} ${answer_words(c)}` : '').filter(Boolean).join(', ')
  return h('div', {class: 'answer-bar', role: 'img', 'aria-label': words || 'no answers yet'},
    choices.map((c, i) => counts[i] ? h('i', {title: `${counts[i]} ${answer_words(c)}`,
      class: c.style === null ? `part ${c.answer}` : 'part', style: {width: `${counts[i] / Math.max(1, most ?? total) * 100}%`, '--mine': answer_colour(c)}},
      counts[i] / Math.max(1, most ?? total) > 0.07 ? h('b', {}, counts[i]) : '') : ''))
}

// What the page has to say, at its lower edge.
function toasts(model, send) {
  const toast = h('div', {class: 'toast', role: 'status', hidden: true})
  let timer = 0
  const close = () => { toast.hidden = true; send('dismiss') }
  const show = () => {
    const notice = model.notice
    clearTimeout(timer)
    toast.hidden = !notice
    if (!notice) return
    toast.className = `toast ${notice.kind}`
    toast.setAttribute('role', notice.kind === 'error' ? 'alert' : 'status')
    toast.replaceChildren(h('span', {}, notice.text), h('button', {class: 'bare', 'aria-label': 'Close', onclick: close}, icon('close', 14)))
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
  const button = h('button', {class: 'bare theme', onclick: () => {
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
// who she is, where she was, and what was not yet written down is kept in the browser.
function watch_connection(model, root) {
  const lost = h('div', {class: 'lost', role: 'alert', hidden: true}, h('b', {}, 'Connection lost'),
    h('span', {}, 'Trying to come back. Your answers are safe.'))
  root.append(lost)
  let gone = false
  const again = async () => {
    try {
      const answer = await fetch(location.pathname, {method: 'HEAD', cache: 'no-store'})
      if (answer.status < 500) { location.reload(); return }
    } catch { /* still away */ }
    setTimeout(again, 1500)
  }
  const leave = () => {
    if (gone) return
    gone = true
    lost.hidden = false
    setTimeout(again, 1000)
  }
  model.document?.on_event?.('connection_lost', leave)
  return leave
}

// A phone that slept finds its page where it was; who comes back by the Back button, too.
const recall = key => { try { return JSON.parse(localStorage.getItem(key)) } catch { return null } }
const remember = (key, value) => { try { localStorage.setItem(key, JSON.stringify(value)) } catch { /* private mode */ } }
const forget = key => { try { localStorage.removeItem(key) } catch { /* private mode */ } }

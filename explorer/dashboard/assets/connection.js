// Whether the server is there. Where it is not, the page says so, waits, and opens itself again.

const SOON_MS = 400, LONGEST_MS = 5000, UNHEARD_MS = 6000

export function render({model, view}) {
  const root = h('div', {})
  if (!model.whole_page) return root
  const send = sender(model, view)
  document.getElementById('explorer-opening')?.remove()

  // --- what the server has not said that it heard ------------------------------------------
  const read = () => { try { return JSON.parse(sessionStorage.getItem(model.memory)) ?? [] } catch { return [] } }
  const write = list => { try { sessionStorage.setItem(model.memory, JSON.stringify(list.slice(-500))) } catch { /* a browser without a memory */ } }
  const begun = Math.random().toString(36).slice(2)
  let number = 0, lost = false, leaving = false
  const before = read()
  window.explorerConnection = {
    // A judgement is kept until it was heard; without a server it is not sent now.
    keep(message, sender) {
      if (message.judgement === undefined) return lost ? null : message
      const receipt = `${begun}-${number++}`
      const rows = message.rows ?? [message.row]
      write([...read(), {receipt, rows, judgement: message.judgement, class: message.class_ ?? sender.target?.name ?? null, study: sender.place === 'study', at: Date.now()}])
      if (lost) { tell(); return null }
      setTimeout(() => { if (read().some(one => one.receipt === receipt)) look() }, UNHEARD_MS)
      return {...message, receipt}
    },
    heard(receipt) { write(read().filter(one => one.receipt !== receipt)) },
  }
  model.on('msg:custom', message => { if (message.kind === 'taken') write(read().filter(one => !before.some(old => old.receipt === one.receipt))) })

  // --- saying so ---------------------------------------------------------------------------
  const words = h('p', {}), kept = h('p', {class: 'kept'}), next = h('span', {class: 'quiet'})
  const dialog = h('dialog', {class: 'lost', role: 'alertdialog', 'aria-labelledby': 'lost-title', 'aria-describedby': 'lost-words', oncancel: event => event.preventDefault()},
    h('h2', {id: 'lost-title'}, 'Connection lost'), h('div', {id: 'lost-words'}, words, kept), h('div', {class: 'row'}, next, h('button', {class: 'primary', onclick: () => attempt()}, 'Try now')))
  root.append(dialog)
  let since = 0
  function tell() {
    const long = Date.now() - since > 20000
    words.textContent = 'Every label is saved. This page comes back by itself, as it is now.' + (long ? ' If that takes long: is the computer that serves it running, and is this one in its network?' : '')
    const n = read().length
    kept.hidden = !n
    kept.textContent = n === 1 ? 'One judgement waits here and is sent then.' : `${n} judgements wait here and are sent then.`
  }
  function say_lost() {
    if (lost || leaving) return
    lost = true
    since = Date.now()
    setTimeout(() => { if (!leaving) { tell(); if (!dialog.open) dialog.showModal() } }, SOON_MS)
    wait(SOON_MS)
  }

  // --- trying again ------------------------------------------------------------------------
  let timer = 0, pause = 1000, due = 0
  async function there(address) {
    const stop = new AbortController()
    const limit = setTimeout(() => stop.abort(), 4000)
    try { return (await fetch(address, {cache: 'no-store', signal: stop.signal})).ok } catch { return false } finally { clearTimeout(limit) }
  }
  function wait(ms) {
    clearTimeout(timer)
    due = Date.now() + ms
    timer = setTimeout(attempt, ms)
  }
  async function attempt() {
    clearTimeout(timer)
    next.textContent = 'Trying …'
    if (await there(model.alive)) { leaving = true; location.reload(); return }
    pause = Math.min(LONGEST_MS, pause * 1.5)
    // Not all pages in the same moment: the server has enough to do when it is back.
    wait(pause * (0.7 + 0.6 * Math.random()))
    tell()
  }
  setInterval(() => { if (lost && due > Date.now()) next.textContent = `Trying again in ${Math.ceil((due - Date.now()) / 1000)} s` }, 500)
  // A network that is gone closes no socket: ask, where an answer stays out.
  async function look() { if (!lost && !(await there(model.alive))) say_lost() }
  view.model.document.on_event('connection_lost', say_lost)
  addEventListener('beforeunload', () => { leaving = true })
  addEventListener('pageshow', event => { if (event.persisted) location.reload() })
  addEventListener('offline', () => setTimeout(look, 500))
  addEventListener('online', () => lost ? attempt() : look())
  document.addEventListener('visibilitychange', () => { if (!document.hidden) lost ? attempt() : look() })

  // What fails here would be seen by nobody: no person looks into a browser's console.
  const wrong = (what, error) => { if (what && !/ResizeObserver/.test(what) && !lost) send('wrong', {text: `${what}\n${error?.stack ?? ''}`}) }
  addEventListener('error', event => wrong(event.message, event.error))
  addEventListener('unhandledrejection', event => wrong(String(event.reason?.message ?? event.reason), event.reason))

  if (before.length) setTimeout(() => send('unsent', {run: model.run, said: before}), 0)
  return root
}

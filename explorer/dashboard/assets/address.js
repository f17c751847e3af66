// What is looked at stands in the page's address, so that a link reopens it and Back goes back.

export function render({model, view}) {
  const root = h('div', {hidden: true})
  if (!model.whole_page) return root
  const send = sender(model, view)
  let at = model.now.at, written = location.search, back = false
  function write() {
    if (model.now.query === null) return
    const now = model.now.query ? `?${model.now.query}` : ''
    const goes = model.now.at !== at && !back
    at = model.now.at
    back = false
    if (now === written) return
    written = now
    history[goes ? 'pushState' : 'replaceState'](null, '', location.pathname + now + location.hash)
  }
  function on_back() {
    if (location.search === written) return // a link within the page
    written = location.search
    if ((new URLSearchParams(written).get('run')) !== model.now.run) { location.reload(); return } // another encoder: all is made anew
    back = true
    send('go', {query: written})
  }
  addEventListener('popstate', on_back)
  model.on('remove', () => removeEventListener('popstate', on_back))
  model.on('now', write)
  write()
  return root
}

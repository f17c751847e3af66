// How cards fit and move, and whose keys they hear.

// As many cards as fit, so that a page never scrolls; 0 while nothing can be measured.
function fitCards(page, table) {
  const width = page.clientWidth, height = page.clientHeight
  if (!width || !height) return 0
  if (table) return Math.max(1, Math.min(60, Math.floor((height - 30) / 33)))
  const columns = Math.max(1, Math.floor((width - 28 + 10) / (128 + 10)))
  const wide = (width - 28 - (columns - 1) * 10) / columns
  const rows = Math.max(1, Math.floor((height - 14 + 10) / (wide * 0.68 + 72 + 10)))
  page.style.setProperty('--columns', columns)
  page.style.setProperty('--rows', rows)
  page.style.setProperty('--tallest', `${Math.round(wide * 1.02 + 72)}px`)
  return Math.min(60, columns * rows)
}

// Cards slide to their new place, so that one sees what a judgement did to the order.
function slideCards(nodes, before) {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return
  for (const [row, node] of nodes) {
    const from = before.get(row)
    if (!from || !from.width) { node.animate([{opacity: 0}, {opacity: 1}], {duration: 180}); continue }
    const to = node.getBoundingClientRect()
    const x = from.left - to.left, y = from.top - to.top
    if (x || y) node.animate([{transform: `translate(${x}px, ${y}px)`}, {transform: 'none'}], {duration: 240, easing: 'ease-out'})
  }
}

// On a page of its own the keys work everywhere; in a notebook only within this app, because the
// notebook has keys of its own (and must not hear ours).
function listenToKeys(model, el, on_key) {
  let listens = null
  return {
    begin() {
      if (listens) return
      let top = el
      while (top.getRootNode() instanceof ShadowRoot) top = top.getRootNode().host
      listens = model.whole_page ? document : top
      const hear = on_key
      on_key = event => { if (el.checkVisibility()) hear(event) } // another screen may be open
      if (!model.whole_page) { top.setAttribute('data-lm-suppress-shortcuts', 'true'); top.tabIndex = -1 }
      listens.addEventListener('keydown', on_key)
    },
    end() { listens?.removeEventListener('keydown', on_key) },
  }
}

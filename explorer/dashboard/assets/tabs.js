// The places of a screen as tabs, where they have no room beside each other.
export function render({model, view}) {
  const send = sender(model, view)
  const root = h('nav', {class: 'tablist', 'aria-label': 'Places of this screen'})
  function draw() {
    root.replaceChildren(...model.names.map((name, i) => h('button', {'aria-pressed': String(i === model.chosen),
      onclick: () => send('choose', {number: i})}, name)))
  }
  model.on(['names', 'chosen'], draw)
  draw()
  return root
}

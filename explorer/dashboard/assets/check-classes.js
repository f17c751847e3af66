// Left: the classes, and in a few words how well each is found.

export function render({model, view}) {
  const send = sender(model, view)
  const list = h('ul', {class: 'list'})
  const empty = h('div', {class: 'empty'},
    h('p', {class: 'says'}, 'No class yet. In Explore, draw around sounds that are alike and name them: how well they are found is then told here by itself.'),
    h('button', {class: 'primary', onclick: () => send('explore')}, 'Make a class'))
  const working = h('small', {class: 'working', role: 'status'})
  const root = h('section', {class: 'card panel', 'aria-label': 'Classes'},
    h('header', {}, h('h2', {}, 'Classes'), working), h('div', {class: 'scroll'}, list, empty))

  function item(c) {
    const active = c.name === model.active
    const figures = [c.auc && ['AUC', c.auc], c.precision && ['precision', c.precision]].filter(Boolean)
    return h('li', {class: active ? 'item active' : 'item', style: {'--mine': `var(--class-${c.style % 8})`}},
      h('button', {class: 'open', 'aria-pressed': String(active), title: c.note || null, onclick: () => send('activate', {name: c.name})},
        h('span', {class: 'line'}, sign(c.shape, c.style, 15), h('span', {class: 'name'}, c.name)),
        h('span', {class: c.outdated ? 'lines outdated' : 'lines'},
          c.says && h('span', {class: 'verdict'}, c.says),
          figures.map(([name, value]) => h('small', {}, h('span', {}, name), ' ', value))),
        h('small', {class: 'labels'}, c.labels)))
  }

  function draw() {
    refill(list, model.classes.map(item))
    empty.hidden = model.classes.length > 0
    working.textContent = model.waiting ? 'testing…' : ''
    working.title = 'Recordings are being left out in turn, to see how well each class is found in them'
  }
  model.on(['classes', 'active', 'waiting'], draw)
  draw()
  return root
}

// Right: three doors to what comes next.

const DOORS = [['teach', 'like', 'Label what teaches most'], ['count', 'table', 'Count: how much is there?'], ['carry', 'file', 'Use it elsewhere']]

export function render({model, view}) {
  const send = sender(model, view)
  const list = h('div', {class: 'doors'})
  const root = h('section', {class: 'card panel', 'aria-label': 'What next'},
    h('header', {}, h('h2', {}, 'What next')), list)

  function draw() {
    refill(list, DOORS.map(([name, sign_name, title]) => {
      const open = model.door === name
      return h('button', {class: open ? 'door open' : 'door', 'data-door': name, disabled: !model.scored && name !== 'carry',
        'aria-expanded': name === 'teach' ? null : String(open), onclick: () => send('door', {door: name})},
        icon(sign_name, 17), h('span', {class: 'words'}, h('b', {}, title), h('small', {hidden: Boolean(model.door) && !open}, model.says[name] ?? 'Once a class has an example.')),
        icon(name === 'teach' ? 'right' : open ? 'down' : 'right', 13))
    }))
  }
  model.on(['door', 'target', 'scored', 'says'], draw)
  draw()
  return root
}

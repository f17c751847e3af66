// Below the classes: a saved classifier, such as one of another place, before and after adapting.

export function render({model, view, el}) {
  const send = sender(model, view)
  const root = h('section', {class: 'card panel', 'aria-label': 'Saved classifier'})
  let wanted = null

  function choice(label, names, chosen, act) {
    return h('select', {'aria-label': label, onchange: event => event.target.value && act(event.target.value)},
      names.map(([value, text]) => h('option', {value, selected: value === chosen}, text)))
  }

  function progress() {
    const done = Math.round(model.share * 100)
    return h('div', {class: 'bar', role: 'progressbar', 'aria-label': 'Adapting', 'aria-valuemin': 0,
      'aria-valuemax': 100, 'aria-valuenow': done}, h('i', {style: {width: `${done}%`}}))
  }

  function adapted(shown) {
    const side = (after, text) => h('button', {'aria-pressed': String(shown.adapted === after),
      onclick: () => send('switch', {adapted: after})}, text)
    const field = keepKeys(h('input', {type: 'text', maxlength: 100, 'aria-label': 'Name to keep it under',
      value: wanted ?? `${shown.name} here`, oninput: event => { wanted = event.target.value }}))
    const keep = () => field.value.trim() && send('keep', {name: field.value})
    field.addEventListener('keydown', event => event.key === 'Enter' && keep())
    return [h('div', {class: 'two'}, side(false, 'Before'), side(true, 'After')),
      h('p', {class: shown.advised ? 'says' : 'says against'}, shown.sentence),
      shown.kept ? h('small', {}, `Saved as ${shown.kept}`) : [field,
        h('div', {class: 'two'}, h('button', {onclick: keep, disabled: Boolean(model.refusals.owner), title: model.refusals.owner || 'Save the adapted classifier under this name'},
          shown.advised ? 'Keep' : 'Keep anyway'),
          h('button', {onclick: () => send('undo'), title: 'Forget what adapting found'}, 'Undo'))]]
  }

  function draw() {
    const shown = model.shown
    if (!shown) {
      wanted = null
      root.replaceChildren(choice('Show a saved classifier',
        [['', 'Show a saved classifier…'], ...model.names.map(name => [name, name])], '',
        name => { send('open', {name}); draw() }))
      return
    }
    root.replaceChildren(
      h('header', {}, h('b', {title: shown.name}, shown.name),
        h('button', {class: 'bare', 'aria-label': 'Close', title: 'Back to your classes', onclick: () => send('close')}, icon('close'))),
      shown.made_in && h('small', {}, `made in ${shown.made_in}`),
      shown.classes.length > 1 ? choice('Class on the map', shown.classes.map(name => [name, name]), shown.class, name => send('class', {name}))
        : h('small', {}, shown.classes[0]),
      ...(model.share !== null ? [h('small', {}, 'Adapting…'), progress()]
        : shown.can_switch ? adapted(shown).flat()
        : [h('button', {onclick: () => send('adapt'),
            title: 'Learn, without labels, what this place and its recorder do to sounds. Nothing is saved.'}, 'Adapt to this place')]))
  }

  model.on(['names', 'shown', 'share'], draw)
  draw()
  return root
}

// Middle: where it is. The map, and what lies on it: colours, tools, what is selected, and how far it
// is while it is made.

export function render({model, view, el}) {
  const send = sender(model, view)
  const map = chart(model, {
    select: (corners, add) => send('select', {corners, add}),
    tap: (row, add) => send('tap', {row, add}),
    label: code => send('label', {code}),
    clear: () => send('clear'),
  })
  const colours = h('div', {class: 'colours'})
  const tools = h('div', {class: 'tools', role: 'toolbar', 'aria-label': 'Map tools'})
  const said = h('div', {class: 'said', 'aria-live': 'polite'})
  const legend = h('div', {class: 'legend'})
  const making = h('div', {class: 'making'})
  const chrome = h('div', {class: 'chrome'}, colours, tools, said, legend, making)
  const root = h('section', {class: 'whole', 'aria-label': model.title ? `Map by ${model.title}` : 'Map'}, map.root, chrome)

  const TOOLS = [['lasso', 'Draw around windows (shift adds)'], ['box', 'Select a rectangle (shift adds)'], ['pan', 'Move the map (the wheel zooms)']]
  let chosen = 'lasso'
  function choose(name) { chosen = name; map.use(name); draw_tools() }
  function draw_tools() {
    tools.replaceChildren(...TOOLS.map(([key, title]) => h('button', {'aria-pressed': String(key === chosen), title, 'data-tool': key,
      'aria-label': key, onclick: () => choose(key)}, icon(key), h('span', {}, key))),
      h('button', {title: 'Show the whole map (0)', 'aria-label': 'Show the whole map', onclick: map.whole}, icon('reset')),
      model.beside.length ? h('button', {title: 'Another encoder’s map beside this one', 'aria-label': 'Another encoder’s map beside this one',
        'aria-haspopup': 'menu', 'aria-pressed': String(Boolean(model.other)), onclick: event => beside(event.currentTarget)}, icon('beside')) : '',
      model.closable ? h('button', {title: 'Close this map', 'aria-label': 'Close this map', onclick: () => send('close')}, icon('close', 12)) : '')
  }
  function beside(button) {
    if (model.other) { send('beside', {run: ''}); return }
    menu(button, model.beside.map(([run, note]) => ({label: run, note, value: run})), run => send('beside', {run}))
  }
  // Apart from the rest: a bar that moves must not close an open menu.
  function draw_colours() {
    const button = h('button', {class: 'pill', 'aria-haspopup': 'menu', onclick: () => menu(button,
      model.colours_by.map(([by, note]) => by === null ? null : {label: by, note, value: by, chosen: by === model.colour_by}), by => send('colour', {by}))},
      h('span', {class: 'quiet'}, 'colour'), model.colour_by, icon('down', 12))
    colours.replaceChildren(...(model.title ? [h('span', {class: 'pill still'}, model.title)] : [button]))
  }
  function draw() {
    const ready = model.ready
    colours.hidden = tools.hidden = !ready
    said.hidden = !model.selected || !ready || Boolean(model.title)
    said.replaceChildren(h('b', {}, `${count(model.selected)} selected`),
      model.sentence ? h('span', {class: 'quiet'}, `· ${model.sentence}`) : '',
      h('button', {class: 'link', onclick: () => send('clear')}, 'clear'))
    legend.hidden = !model.legend.length || !ready || Boolean(model.title)
    legend.className = model.ramp ? 'legend ramp' : model.legend.length > 5 ? 'legend two' : 'legend'
    legend.replaceChildren(...model.legend.map(([colour, text]) => h('span', {}, h('i', {style: {background: colour}}), text)),
      model.meaning ? h('small', {class: 'meaning'}, model.meaning) : '')
    if (!legend.hidden) requestAnimationFrame(() => {
      const [right, bottom] = map.emptiest(legend.offsetWidth + 24, legend.offsetHeight + 12)
      Object.assign(legend.style, {left: right ? 'auto' : '12px', right: right ? '12px' : 'auto', top: bottom ? 'auto' : '52px', bottom: bottom ? '52px' : 'auto'})
    })
    making.hidden = ready && model.progress === null
    making.className = ready ? 'making small' : 'making'
    if (!making.hidden) draw_making()
    map.root.hidden = !ready
    map.top.setAttribute('aria-label', `Map of ${many(model.windows, 'window')}, coloured by ${model.colour_by}. `
      + 'Arrow keys move it, plus and minus zoom, Enter selects what lies in the middle, 0 shows all.')
    if (!model.selected) map.redraw()
  }
  function draw_making() {
    const stopped = model.progress === null
    const bar = h('div', {class: 'track', role: 'progressbar', 'aria-label': 'Progress', 'aria-valuemin': 0, 'aria-valuemax': 100,
      'aria-valuenow': Math.round((model.progress ?? 0) * 100)}, h('i', {style: {width: `${(model.progress ?? 0) * 100}%`}}))
    making.replaceChildren(h('b', {}, model.ready ? model.making : stopped ? 'No map yet' : `Drawing the map of ${many(model.windows, 'window')}`),
      stopped ? '' : bar, h('span', {class: 'quiet'}, model.doing),
      stopped ? h('button', {class: 'primary', onclick: () => send('start')}, 'Make the map')
        : h('button', {class: 'link', onclick: () => send('stop')}, 'stop'))
  }
  model.on(['colour_by', 'colours_by'], draw_colours)
  model.on(['beside', 'other'], draw_tools)
  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw() }) } }
  model.on(['colour_by', 'legend', 'meaning', 'selected', 'sentence', 'progress', 'doing', 'making', 'ready', 'windows'], soon)
  choose('lasso')
  draw_colours()
  draw()
  return root
}

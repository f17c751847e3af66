// What lies on the map: its colours, its tools, what is selected, and how far it is while it is made.

export function render({model, view, el}) {
  const send = sender(model, view)
  const colours = h('div', {class: 'colours'})
  const tools = h('div', {class: 'tools', role: 'toolbar', 'aria-label': 'Map tools'})
  const said = h('div', {class: 'said', 'aria-live': 'polite'})
  const legend = h('div', {class: 'legend'})
  const making = h('div', {class: 'making'})
  const root = h('div', {class: 'chrome'}, colours, tools, said, legend, making)

  // The figure's own toolbar is hidden; these buttons set its tools.
  const TOOLS = [['lasso', 'LassoSelectTool', 'Draw around points'], ['box', 'BoxSelectTool', 'Select a rectangle'],
    ['pan', 'PanTool', 'Move the map (the wheel zooms)']]
  let chosen = 'lasso'
  const figure = () => view.model.document?.get_model_by_name(model.figure)
  const tool = type => figure()?.toolbar.tools.find(t => t.type === type)
  function choose(name) {
    chosen = name
    for (const [key, type] of TOOLS) { const t = tool(type); if (t) t.active = key === name }
    draw_tools()
  }
  function forget_outline() {
    for (const type of ['LassoSelectTool', 'BoxSelectTool']) {
      const overlay = tool(type)?.overlay
      if (!overlay) continue
      if (type === 'LassoSelectTool') overlay.update?.({xs: [], ys: []}) ?? Object.assign(overlay, {xs: [], ys: []})
      overlay.visible = false
    }
  }
  function draw_tools() {
    tools.hidden = !model.ready
    tools.replaceChildren(...TOOLS.map(([key, , title]) => h('button', {'aria-pressed': String(key === chosen), title, 'data-tool': key,
      onclick: () => choose(key)}, icon(key), h('span', {}, key))),
      h('button', {title: 'Show the whole map', 'aria-label': 'Show the whole map', onclick: () => figure()?.reset.emit()}, icon('reset')))
  }
  function tint_outline() {
    const accent = getComputedStyle(root).getPropertyValue('--accent').trim()
    for (const type of ['LassoSelectTool', 'BoxSelectTool']) {
      const overlay = tool(type)?.overlay
      if (overlay && accent) { overlay.line_color = accent; overlay.fill_color = accent }
    }
  }
  function draw() {
    const ready = model.ready
    tint_outline()
    const button = h('button', {class: 'pill', 'aria-haspopup': 'menu', onclick: () => menu(button,
      model.colours.map(by => ({label: by, value: by, chosen: by === model.colour_by})), by => send('colour', {by}))},
      h('span', {class: 'quiet'}, 'colour'), model.colour_by, icon('down', 12))
    colours.replaceChildren(button)
    colours.hidden = !ready
    draw_tools()
    said.hidden = !model.selected || !ready
    said.replaceChildren(h('b', {}, `${count(model.selected)} selected`),
      model.sentence ? h('span', {class: 'quiet'}, `· ${model.sentence}`) : '',
      h('button', {class: 'link', onclick: () => send('clear')}, 'clear'))
    legend.hidden = !model.legend.length || !ready
    legend.className = model.colour_by === 'score' ? 'legend ramp' : 'legend'
    legend.replaceChildren(...model.legend.map(([colour, text]) => h('span', {}, h('i', {style: {background: colour}}), text)))
    making.hidden = ready
    if (!ready) draw_making()
    if (!model.selected) forget_outline()
  }
  function draw_making() {
    const stopped = model.progress === null
    const bar = h('div', {class: 'track', role: 'progressbar', 'aria-valuemin': 0, 'aria-valuemax': 100,
      'aria-valuenow': Math.round((model.progress ?? 0) * 100)}, h('i', {style: {width: `${(model.progress ?? 0) * 100}%`}}))
    making.replaceChildren(h('b', {}, stopped ? 'No map yet' : `Drawing the map of ${many(model.windows, 'window')}`),
      stopped ? '' : bar, h('span', {class: 'quiet'}, model.doing),
      stopped ? h('button', {class: 'primary', onclick: () => send('start')}, 'Make the map')
        : h('button', {class: 'link', onclick: () => send('stop')}, 'stop'))
  }
  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw() }) } }
  model.on(['colour_by', 'legend', 'selected', 'emptied', 'sentence', 'progress', 'doing', 'ready', 'windows'], soon)
  draw()
  return root
}

// Below the map: when. A small map of days and hours, drawn as on the screen "Activity".

export function render({model, view, el}) {
  const send = sender(model, view)
  const says = h('small', {class: 'says'})
  const open = h('button', {class: 'link', title: 'When and where, large', onclick: () => send('open')}, 'more')
  const plot = s('svg', {class: 'plot', role: 'img'})
  const empty = h('p', {class: 'empty'})
  const root = h('section', {class: 'card panel', 'aria-label': 'When'},
    h('header', {}, h('h2', {}, 'When'), says, open), plot, empty)

  function title_of(map, d, hour) {
    const {frame, panel} = map, i = d * 24 + hour, day = days_on(frame.first, d * frame.span)
    const when = `${date_words(day)}${frame.span > 1 ? ` – ${date_words(days_on(day, frame.span - 1))}` : ''}, ${band(hour)}`
    const over = panel.seconds[i] / 3600
    return !over ? `${when}: nothing recorded` : map.effort ? `${when}: ${length_words(over)} recorded`
      : `${when}: ${per(panel.count[i] / over)} per recorded hour (${many(panel.count[i], 'window')} in ${length_words(over)})`
  }
  let map = null
  const title = s('title', {})
  plot.addEventListener('pointermove', event => {
    if (!map) return
    const at = plot.getBoundingClientRect()
    const cell = map.cell_at(event.clientX - at.left, event.clientY - at.top)
    title.textContent = title_of(map, cell.d, cell.h)
  })
  function draw() {
    const frame = model.frame, has = Boolean(frame.n), effort = model.unit === 'effort'
    plot.style.display = has ? '' : 'none'
    empty.hidden = has
    empty.textContent = model.says_empty
    root.style.setProperty('--mine', effort ? 'var(--bar)' : `var(--class-${model.style % 8})`)
    if (!has) { says.textContent = ''; map = null; return }
    const width = plot.clientWidth || 260, height = plot.clientHeight || 110
    plot.setAttribute('viewBox', `0 0 ${width} ${height}`)
    const panel = frame.panels[0], turned = frame.n <= 4 && frame.span === 1
    const left = turned ? 44 : 24
    map = actogram(frame, panel, {left, top: 5, width: width - left - (panel.sun && !turned ? 42 : 2), height: height - 5 - 18}, effort)
    says.textContent = effort ? 'recorded time' : frame.most ? `up to ${per(frame.most)} per recorded hour` : 'never'
    const f = model.filter
    const from = f.since ? days_between(frame.first, f.since) : -Infinity, until = f.until ? days_between(frame.first, f.until) : Infinity
    const inside = (d, hour) => (d + 1) * frame.span > from && d * frame.span <= until &&
      (f.from_h <= f.to_h ? hour + 0.5 >= f.from_h && hour + 0.5 < f.to_h : hour + 0.5 >= f.from_h || hour + 0.5 < f.to_h)
    plot.setAttribute('aria-label', model.summary)
    plot.replaceChildren(title, s('rect', {width, height, fill: 'transparent'}), ...hour_ticks(map, 'hour'), ...day_ticks(map), ...cell_paths(map, inside), ...sun_curves(map, 'hour'))
  }
  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw() }) } }
  model.on(['frame', 'filter', 'unit', 'style', 'says_empty', 'summary'], soon)
  new ResizeObserver(soon).observe(plot)
  draw()
  return root
}

// Below the map: when. Detections per recorded hour, by day and hour of the day; a cell without
// recordings stays empty, so that silence and absence do not look alike.

export function render({model}) {
  const says = h('small', {class: 'says'})
  const plot = s('svg', {class: 'plot', role: 'img'})
  const empty = h('p', {class: 'empty'})
  const root = h('section', {class: 'card panel', 'aria-label': 'When'},
    h('header', {}, h('h2', {}, 'When'), says), plot, empty)

  function draw() {
    const days = model.days, has = days.length > 0
    plot.style.display = has ? '' : 'none'
    empty.hidden = has
    empty.textContent = model.says_empty
    root.style.setProperty('--mine', `var(--class-${model.style % 8})`)
    if (!has) { says.textContent = ''; return }
    const width = plot.clientWidth || 260, height = plot.clientHeight || 110
    plot.setAttribute('viewBox', `0 0 ${width} ${height}`)
    const left = 42, base = height - 17, top = 6
    const step = (width - left) / 24
    const rates = model.rates
    const most = Math.max(1e-9, ...rates.flat().filter(x => x !== null))
    says.textContent = most < 1e-6 ? 'never' : `up to ${most.toFixed(most < 10 ? 1 : 0)} per recorded hour`
    const marks = []
    if (days.length <= 2) {
      // One or two days: bars tell more than shades.
      const tall = (base - top) / days.length
      days.forEach((day, d) => {
        const floor = top + tall * (d + 1)
        marks.push(s('text', {x: 0, y: floor - 4}, day),
          s('line', {x1: left, x2: width, y1: floor + 0.5, y2: floor + 0.5, class: 'axis'}))
        rates[d].forEach((rate, hour) => {
          if (rate === null) return
          const size = Math.max(rate > 0 ? 2 : 0, rate / most * (tall - 8))
          marks.push(s('rect', {x: left + hour * step, y: floor - 3, width: Math.max(1, step - 1), height: 3, class: 'heard'}))
          marks.push(s('rect', {x: left + hour * step, y: floor - size, width: Math.max(1, step - 1), height: size, rx: 1, class: 'rate'},
            s('title', {}, `${day}, ${String(hour).padStart(2, '0')} h: ${rate.toFixed(rate < 10 ? 1 : 0)} per recorded hour`)))
        })
      })
    } else {
      const tall = (base - top) / days.length
      days.forEach((day, d) => {
        if (d === 0 || d === days.length - 1) marks.push(s('text', {x: 0, y: top + tall * d + tall / 2 + 4 - (d && tall < 12 ? 0 : 0)}, day))
        rates[d].forEach((rate, hour) => marks.push(s('rect', {x: left + hour * step, y: top + tall * d,
          width: Math.max(1, step - 1), height: Math.max(1, tall - 1), rx: 1,
          class: rate === null ? 'none' : 'heard'})))
        rates[d].forEach((rate, hour) => { if (rate) marks.push(s('rect', {x: left + hour * step, y: top + tall * d,
          width: Math.max(1, step - 1), height: Math.max(1, tall - 1), rx: 1, class: 'rate',
          'fill-opacity': (0.18 + 0.82 * rate / most).toFixed(3)},
          s('title', {}, `${day}, ${String(hour).padStart(2, '0')} h: ${rate.toFixed(rate < 10 ? 1 : 0)} per recorded hour`))) })
      })
    }
    for (const hour of [0, 6, 12, 18]) marks.push(s('text', {x: left + hour * step, y: height - 3}, hour ? String(hour).padStart(2, '0') : '00 h'))
    marks.push(s('text', {x: width, y: height - 3, 'text-anchor': 'end'}, '24'))
    plot.setAttribute('aria-label', model.summary)
    plot.replaceChildren(...marks)
  }
  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw() }) } }
  model.on(['days', 'rates', 'style', 'says_empty', 'summary'], soon)
  new ResizeObserver(soon).observe(plot)
  draw()
  return root
}

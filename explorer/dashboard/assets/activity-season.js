// The season and the day: a point for each month, week, day or hour with its interval; a press looks
// at it alone.

export function render({model, view, el}) {
  const send = sender(model, view)
  const bar = h('header', {})
  const panels = h('div', {class: 'panels'})
  const tip = h('div', {class: 'tip', hidden: true})
  const root = h('section', {class: 'card panel', 'aria-label': 'Season'}, bar, panels, tip)
  const NAMES = {hour: 'hour', day: 'day', week: 'week', month: 'month'}
  const hourly = () => model.period === 'hour'
  let held = null  // the period in focus, so that it stays there when all is drawn anew

  const draw_bar = () => redraw(bar, make_bar)
  function make_bar() {
    bar.replaceChildren(h('h2', {}, hourly() ? 'Time of day' : 'Season'),
      h('small', {}, 'by'), h('span', {class: 'segments', role: 'group', 'aria-label': 'Rates by'}, Object.entries(NAMES).map(([period, name]) =>
        h('button', {'aria-pressed': String(period === model.period), onclick: () => send('period', {period})}, name))),
      h('span', {class: 'grow'}), h('small', {}, model.unit === 'effort' ? 'recorded hours' : 'per recorded hour, 95 % interval'))
  }
  const hour_name = x => model.clock === 'hour' ? band(x) : after_words(x, model.clock.slice(6))
  const period_words = begin => hourly() ? hour_name(begin) : model.period === 'month' ? day_at(begin).toLocaleDateString('en-GB', {month: 'long', year: 'numeric', timeZone: 'UTC'})
    : `${model.period === 'week' ? 'week of ' : ''}${date_words(begin, {year: 'numeric'})}`
  function words_of(panel, i) {
    const title = `${period_words(model.frame.begins[i])}${panel.site !== null ? ` · ${panel.site || 'no site'}` : ''}`
    if (!panel.hours[i]) return [title, 'Nothing was recorded.']
    const recorded = `${length_words(panel.hours[i])} recorded`
    if (model.unit === 'effort') return [title, `${recorded}.`]
    const k = panel.count[i]
    return [title, `${per(panel.rate[i])} per recorded hour (${per(panel.low[i])}–${per(panel.high[i])}): ${k === 1 ? `1 ${model.unit.slice(0, -1)}` : `${count(k)} ${model.unit}`} in ${recorded}.`]
  }
  const nice = x => { const e = 10 ** Math.floor(Math.log10(x)); return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find(k => k * e >= x * 0.999) * e }
  const last_day = i => { const next = model.frame.begins[i + 1]; if (next) return days_on(next, -1)
    const first = model.frame.begins[i]
    return model.period === 'day' ? first : model.period === 'week' ? days_on(first, 6) : days_on(new Date(Date.UTC(day_at(first).getUTCFullYear(), day_at(first).getUTCMonth() + 1, 1)).toISOString().slice(0, 10), -1) }
  const inside = i => {
    const f = model.filter, begin = model.frame.begins[i]
    if (!hourly()) return (!f.since || last_day(i) >= f.since) && (!f.until || begin <= f.until)
    return model.clock !== 'hour' || (f.from_h <= f.to_h ? begin + 0.5 >= f.from_h && begin + 0.5 < f.to_h : begin + 0.5 >= f.from_h || begin + 0.5 < f.to_h)
  }
  const chosen = i => {
    const f = model.filter, begin = model.frame.begins[i]
    return hourly() ? f.from_h === begin && f.to_h === begin + 1 : f.since === begin && f.until === last_day(i)
  }

  function draw_panel(panel, p, width, height, top_value, last) {
    const effort = model.unit === 'effort'
    const left = 40, right = 10, top = panel.site !== null ? 20 : 8, bottom = last ? 20 : 8
    const n = model.frame.begins.length, step = (width - left - right) / n, tall = height - top - bottom
    const x = i => left + (i + 0.5) * step, y = v => top + tall - Math.min(1.02, v / top_value) * tall
    const values = effort ? panel.hours.map(v => v || null) : panel.rate
    const marks = [s('line', {x1: left, x2: width - right, y1: top + tall, y2: top + tall, class: 'axis'}),
      s('line', {x1: left, x2: width - right, y1: y(top_value / 2), y2: y(top_value / 2), class: 'guide'}),
      s('line', {x1: left, x2: width - right, y1: top, y2: top, class: 'guide'}),
      ...[[0, 0], [0.5, 4], [1, 8]].map(([share, lower]) => s('text', {x: left - 6, y: y(top_value * share) + (share === 0 ? 0 : 4), 'text-anchor': 'end'}, share === 0.5 && tall < 60 ? '' : per(top_value * share)))]
    if (panel.site !== null) marks.push(s('text', {x: left, y: 13, class: 'title'}, panel.site || 'no site'))
    if (last) {
      const room = hourly() ? (step > 26 ? 3 : 6) : Math.max(1, Math.ceil((model.period === 'month' ? 34 : 46) / step))
      for (let i = 0; i < n; i += room) {
        if (x(i) > width - 24) break
        if (hourly()) {
          const at = model.frame.begins[i], text = model.clock === 'hour' ? (at ? hour_words(at) : '00 h') : at > 0 ? `+${at}` : at < 0 ? `−${-at}` : '0'
          marks.push(s('text', {x: x(i) - step / 2, y: height - 5, 'text-anchor': 'middle'}, text))
          continue
        }
        const begin = day_at(model.frame.begins[i])
        const text = model.period !== 'month' ? date_words(model.frame.begins[i])
          : begin.getUTCMonth() === 0 ? String(begin.getUTCFullYear()) : begin.toLocaleDateString('en-GB', {month: 'short', timeZone: 'UTC'})
        marks.push(s('text', {x: x(i), y: height - 5, 'text-anchor': 'middle'}, text))
      }
    }
    if (!effort) {
      const line = values.map((v, i) => v === null ? '' : `${i && values[i - 1] !== null ? 'L' : 'M'}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join('')
      marks.push(s('path', {d: line, class: 'line'}))
    }
    const r = Math.max(2.2, Math.min(4.5, step * 0.3))
    values.forEach((v, i) => {
      if (v === null) return
      const [title, text] = words_of(panel, i)
      const begin = model.frame.begins[i]
      const point = s('g', {class: inside(i) ? 'point' : 'point out', role: 'button', tabindex: -1, 'data-at': `${p} ${i}`, 'aria-label': `${title}: ${text}`,
        'aria-pressed': String(chosen(i))},
      s('rect', {x: x(i) - step / 2, y: top - 4, width: step, height: tall + 8, rx: 3, class: 'catch'}),
      effort ? s('rect', {x: x(i) - Math.min(step * 0.4, 14), y: y(v), width: Math.min(step * 0.8, 28), height: Math.max(1, top + tall - y(v)), rx: 1.5, class: 'bar'})
        : [s('line', {x1: x(i), x2: x(i), y1: y(panel.low[i]), y2: y(panel.high[i]), class: 'interval'}),
          s('circle', {cx: x(i), cy: y(v), r, class: v > 0 ? 'dot' : 'dot none'})])
      const show = () => {
        tip.replaceChildren(h('b', {}, title), text)
        tip.hidden = false
        const frame = root.getBoundingClientRect(), at = point.getBoundingClientRect()
        tip.style.left = `${Math.max(8, Math.min(at.left - frame.left + at.width / 2 - tip.offsetWidth / 2, frame.width - tip.offsetWidth - 8))}px`
        tip.style.top = `${Math.max(8, at.top - frame.top + Math.max(0, y(Math.max(v, panel.high?.[i] ?? v)) - top + 4) - tip.offsetHeight - 8)}px`
      }
      point.addEventListener('pointerenter', show)
      point.addEventListener('pointerleave', () => { tip.hidden = true })
      point.addEventListener('focus', () => { held = `${p} ${i}`; show() })
      point.addEventListener('blur', () => { tip.hidden = true })
      point.addEventListener('click', () => send('look', {begin}))
      point.addEventListener('keydown', event => {
        if (event.key === 'Enter' || event.key === ' ') { held = `${p} ${i}`; send('look', {begin}) }
        else if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') {
          const all = [...panels.querySelectorAll('.point')], to = all[all.indexOf(point) + (event.key === 'ArrowRight' ? 1 : -1)]
          if (to) { point.tabIndex = -1; to.tabIndex = 0; to.focus() }
        } else return
        event.preventDefault(); event.stopPropagation()
      })
      marks.push(point)
    })
    return s('svg', {class: 'plot', viewBox: `0 0 ${width} ${height}`, style: {height: `${height}px`, width: `${width}px`}, role: 'group',
      'aria-label': `${model.unit === 'effort' ? 'Recorded hours' : `${model.name_} per recorded hour`} by ${NAMES[model.period]}${panel.site !== null ? `, ${panel.site || 'no site'}` : ''}`}, marks)
  }
  function draw() {
    draw_bar()
    const frame = model.frame, n = frame.begins?.length ?? 0
    root.style.setProperty('--mine', model.unit === 'effort' ? 'var(--accent)' : `var(--class-${model.style % 8})`)
    if (!n) { panels.replaceChildren(h('p', {class: 'empty'}, 'Nothing dated was recorded in what is looked at.')); return }
    const k = frame.panels.length, columns = k > 3 && panels.clientWidth > 380 ? 2 : 1
    const width = Math.floor((panels.clientWidth - (columns - 1) * 10) / columns), rows = Math.ceil(k / columns)
    if (width < 80) return
    const height = Math.max(k === 1 ? 90 : 76, Math.floor((panels.clientHeight - 2) / rows))
    // The axis reaches the intervals where they are not wild; a wild one is cut at the top.
    const rates = frame.panels.flatMap(panel => model.unit === 'effort' ? panel.hours : panel.rate).filter(v => v !== null)
    const highs = frame.panels.flatMap(panel => model.unit === 'effort' ? [] : panel.high).filter(v => v !== null)
    const highest = Math.max(1e-9, ...rates)
    const top = nice(Math.max(highest * 1.05, Math.min(highest * 2, Math.max(0, ...highs))))
    const had = panels.getRootNode().activeElement?.classList?.contains('point')
    panels.replaceChildren(...frame.panels.map((panel, p) => draw_panel(panel, p, width, height, top, p >= k - columns)),
      frame.left ? h('p', {class: 'says'}, `${many(frame.left, 'more site')} not shown.`) : '')
    const first = panels.querySelector(`[data-at="${held}"]`) ?? panels.querySelector('.point')
    if (first) { first.tabIndex = 0; if (had) first.focus() }
  }
  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; tip.hidden = true; draw() }) } }
  model.on(['frame', 'period', 'unit', 'clock', 'style', 'name_', 'filter'], soon)
  new ResizeObserver(soon).observe(panels)
  draw()
  return root
}

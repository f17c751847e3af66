// When: days and hours of the whole deployment; brush a rectangle and everything follows.

export function render({model, view, el}) {
  const send = sender(model, view)
  const bar = h('header', {})
  const says = h('p', {class: 'says'})
  const panels = h('div', {class: 'panels'})
  const tip = h('div', {class: 'tip', hidden: true})
  const heard = h('div', {class: 'hidden-words', 'aria-live': 'polite'})
  const foot = h('div', {class: 'foot'})
  const note = h('p', {class: 'note'})
  const root = h('section', {class: 'card panel', 'aria-label': 'When'}, bar, says, note, panels, foot, tip, heard)
  let maps = [], drawing = false
  const cursors = new Map()  // where the keyboard is in each map, so that it stays there when all is drawn anew

  // --- the choices ---------------------------------------------------------------------------
  const UNITS = {windows: 'windows', detections: 'detections', effort: 'recorded time'}
  const CLOCKS = {hour: 'by the clock', after_sunrise: 'after sunrise', after_sunset: 'after sunset'}
  function chooser(label, content, items, choose) {
    const button = h('button', {class: 'choice', 'aria-haspopup': 'menu', 'aria-label': label, onclick: () => menu(button, items(), value => { button.focus(); choose(value) })}, content, icon('down', 11))
    return button
  }
  const draw_bar = () => redraw(bar, make_bar)
  function make_bar() {
    const mine = model.classes.find(c => c.name === model.active)
    bar.replaceChildren(h('h2', {}, 'When'),
      model.classes.length ? chooser(`Class: ${model.active ?? 'none'}`, mine ? [sign(mine.shape, mine.style, 13), h('span', {class: 'word'}, mine.name)] : 'class',
        () => model.classes.map(c => ({label: c.name, note: c.found === null ? 'no example yet' : `${count(c.found)} found`, value: c.name, chosen: c.name === model.active})),
        name => send('activate', {name})) : '',
      chooser(`Count: ${UNITS[model.unit]}`, h('span', {}, UNITS[model.unit]),
        () => Object.entries({windows: 'each window at or above the threshold', detections: 'neighbours as one', effort: 'how long was recorded'})
          .map(([value, words]) => ({label: UNITS[value], note: words, value, chosen: value === model.unit, disabled: value !== 'effort' && !model.scored})),
        unit => send('unit', {unit})),
      chooser(`Hours: ${CLOCKS[model.clock]}`, h('span', {}, CLOCKS[model.clock]),
        () => Object.entries(CLOCKS).map(([value, label]) => ({label, value, chosen: value === model.clock,
          disabled: value !== 'hour' && !model.placed, note: value === 'hour' ? 'the recorder’s own' : model.placed ? null : 'sites need a place'})),
        clock => send('clock', {clock})),
      model.several ? h('span', {class: 'segments', role: 'group', 'aria-label': 'Sites'},
        h('button', {'aria-pressed': String(!model.each), onclick: () => send('each', {each: false})}, 'sites together'),
        h('button', {'aria-pressed': String(model.each), onclick: () => send('each', {each: true})}, 'each site')) : '',
      h('span', {class: 'grow'}), exports())
  }
  function exports() {
    const button = h('button', {class: 'choice', 'aria-haspopup': 'menu', disabled: !model.frame.n, onclick: () => menu(button, [
      {label: 'Table', note: 'CSV, by site, day and hour', value: 'csv'},
      {label: 'Picture', note: 'SVG', value: 'svg'}, {label: 'Picture', note: 'PNG', value: 'png'}],
    what => what === 'csv' ? send('table') : picture(what))}, icon('export', 13), 'Export')
    return button
  }

  // --- the maps ------------------------------------------------------------------------------
  const inside_filter = map => {
    const f = model.filter, {frame} = map
    const from = f.since ? days_between(frame.first, f.since) : -Infinity
    const until = f.until ? days_between(frame.first, f.until) : Infinity
    const clocked = model.clock === 'hour'
    const by_hour = h => !clocked || (f.from_h <= f.to_h ? h + 0.5 >= f.from_h && h + 0.5 < f.to_h : h + 0.5 >= f.from_h || h + 0.5 < f.to_h)
    return (d, hour) => (d + 1) * frame.span > from && d * frame.span <= until && by_hour(hour)
  }
  const rectangle = (map, d0, d1, h0, h1, cls) => {
    const {box, cw, ch, turned} = map
    const [x, w, y, t] = turned ? [box.left + h0 * cw, (h1 - h0) * cw, box.top + d0 * ch, (d1 - d0) * ch]
      : [box.left + d0 * cw, (d1 - d0) * cw, box.top + (24 - h1) * ch, (h1 - h0) * ch]
    return s('rect', {x, y, width: Math.max(1, w), height: Math.max(1, t), rx: 2, class: cls})
  }
  function brushes(map) {
    const f = model.filter, {frame} = map
    const timed = f.since || f.until, hours = model.clock === 'hour' && (f.from_h !== 0 || f.to_h !== 24)
    if (!timed && !hours) return []
    const d0 = f.since ? Math.max(0, days_between(frame.first, f.since) / frame.span) : 0
    const d1 = f.until ? Math.min(frame.n, (days_between(frame.first, f.until) + 1) / frame.span) : frame.n
    if (d1 <= d0) return []
    const spans = !hours ? [[0, 24]] : f.from_h <= f.to_h ? [[f.from_h, f.to_h]] : [[0, f.to_h], [f.from_h, 24]]
    return spans.map(([h0, h1]) => rectangle(map, d0, d1, h0, h1, 'brush'))
  }
  function words_of(map, d, hour) {
    const {frame, panel} = map, i = d * 24 + hour
    const day = days_on(frame.first, d * frame.span)
    const when = frame.span === 1 ? date_words(day, {weekday: 'short', year: 'numeric'})
      : `${date_words(day)} – ${date_words(days_on(day, frame.span - 1), {year: 'numeric'})}`
    const at = model.clock === 'hour' ? band(hour) : after_words(hour + frame.low, model.clock.slice(6))
    const title = `${when}, ${at}${panel.site !== null ? ` · ${panel.site || 'no site'}` : ''}`
    const seconds = panel.seconds[i]
    if (!seconds) return [title, 'Nothing was recorded.']
    const recorded = `${length_words(seconds / 3600)} recorded`
    let text = `${recorded}.`
    if (!map.effort) {
      const k = panel.count[i], [, low, high] = frame.limits.find(([n]) => n === k)
      const over = seconds / 3600
      text = `${per(k / over)} per recorded hour (${per(low / over)}–${per(high / over)}): ${k === 1 ? `1 ${model.unit.slice(0, -1)}` : `${count(k)} ${model.unit}`} in ${recorded}.`
    }
    const sun = panel.sun
    if (sun && model.clock === 'hour') {
      if (sun.light[d]) text += sun.light[d] === 'day' ? ' The sun does not set.' : ' The sun does not rise.'
      else if (sun.sunrise[d] !== null && sun.sunset[d] !== null) text += ` Sun ${clock_words(sun.sunrise[d])}–${clock_words(sun.sunset[d])}.`
    }
    if (!inside_filter(map)(d, hour)) text += ' Left out by the filter.'
    return [title, text]
  }
  function point(map, cell, plot) {
    if (!cell) { tip.hidden = true; return }
    const [title, text] = words_of(map, cell.d, cell.h)
    tip.replaceChildren(h('b', {}, title), text)
    tip.hidden = false
    const [x, y] = map.place(cell.d, cell.h)
    const frame = root.getBoundingClientRect(), at = plot.getBoundingClientRect()
    const px = at.left - frame.left + x + map.cw, py = at.top - frame.top + y
    tip.style.left = `${Math.max(8, Math.min(px + 12, frame.width - tip.offsetWidth - 8))}px`
    tip.style.top = `${Math.max(8, py - tip.offsetHeight - 10 < 8 ? py + map.ch + 12 : py - tip.offsetHeight - 10)}px`
    return `${title}. ${text}`
  }

  function narrow(map, a, b) {
    const {frame, panel} = map
    const [d0, d1] = [Math.min(a.d, b.d), Math.max(a.d, b.d)], [h0, h1] = [Math.min(a.h, b.h), Math.max(a.h, b.h) + 1]
    const whole = d0 === 0 && d1 === frame.n - 1
    send('brush', {site: panel.site, hours: model.clock === 'hour' ? [h0, h1] : null,
      since: whole ? '' : days_on(frame.first, d0 * frame.span), until: whole ? '' : days_on(frame.first, (d1 + 1) * frame.span - 1)})
  }
  function listen(map, plot, over) {
    let from = null, to = null, cursor = cursors.get(map.panel.site) ?? null
    const mark = () => over.replaceChildren(
      from ? rectangle(map, Math.min(from.d, to.d), Math.max(from.d, to.d) + 1, Math.min(from.h, to.h), Math.max(from.h, to.h) + 1, 'brush now') : '',
      cursor ? rectangle(map, cursor.d, cursor.d + 1, cursor.h, cursor.h + 1, 'cursor') : '')
    const forget = () => { cursor = from = null; cursors.delete(map.panel.site); mark() }
    const at = event => { const box = plot.getBoundingClientRect(); return map.cell_at(event.clientX - box.left, event.clientY - box.top) }
    plot.addEventListener('pointerdown', event => {
      if (event.button) return
      plot.setPointerCapture(event.pointerId)
      forget(); from = to = at(event); mark()
    })
    plot.addEventListener('pointermove', event => {
      const cell = at(event)
      if (from) { to = cell; mark() }
      point(map, cell, plot)
    })
    plot.addEventListener('pointerup', () => { if (from) { const a = from, b = to; from = to = null; mark(); narrow(map, a, b) } })
    plot.addEventListener('pointercancel', () => { from = to = null; mark() })
    plot.addEventListener('pointerleave', () => { if (!from) point(map, null) })
    // By keyboard: arrows move, with Shift they take in more, Enter looks at it, Escape goes back.
    const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}
    plot.addEventListener('keydown', event => {
      const move = step[event.key]
      if (move) {
        const [dd, dh] = map.turned ? [-move[1], move[0]] : move
        cursor ??= {d: 0, h: 0}
        if (event.shiftKey) from ??= cursor; else from = null
        cursor = {d: Math.max(0, Math.min(map.frame.n - 1, cursor.d + dd)), h: Math.max(0, Math.min(23, cursor.h + dh))}
        to = cursor
        cursors.set(map.panel.site, cursor)
        mark()
        heard.textContent = point(map, cursor, plot)
      } else if (event.key === 'Enter' && cursor) { narrow(map, from ?? cursor, cursor); from = null; mark() }
      else if (event.key === 'Escape') {
        if (from || !model.looked) { forget(); point(map, null) } else send('clear')
      } else return
      event.preventDefault(); event.stopPropagation()
    })
    plot.addEventListener('blur', () => { if (!drawing) { forget(); point(map, null) } })
    mark()
  }

  const LEFT = 46, RIGHT = 52, BOTTOM = 20
  function layout(panel, i, width, height, last, wordless) {
    const titled = panel.site !== null
    const turned = model.frame.n <= 4 && model.frame.span === 1
    const top = titled ? 20 : turned ? 12 : 8, bottom = last || turned ? BOTTOM : 6
    return actogram(model.frame, panel, {left: turned ? 46 : LEFT - 14, top, width: width - (turned ? 46 : LEFT - 14) - (panel.sun && !turned && !wordless ? RIGHT : 12), height: height - top - bottom, words: !wordless}, model.unit === 'effort')
  }
  function marks_of(map, last) {
    return [...hour_ticks(map, model.clock), ...(last || map.turned ? day_ticks(map) : []), ...cell_paths(map, inside_filter(map)), ...sun_curves(map, model.clock),
      ...(map.panel.site !== null ? [s('text', {x: map.box.left, y: 13, class: 'title'}, map.panel.site || 'no site')] : [])]
  }
  function draw() {
    draw_bar()
    const frame = model.frame, has = Boolean(frame.n)
    const mine = model.classes.find(c => c.name === model.active)
    root.style.setProperty('--mine', model.unit === 'effort' || !mine ? 'var(--accent)' : `var(--class-${mine.style % 8})`)
    says.textContent = model.words
    note.textContent = model.note
    note.hidden = !model.note
    if (!has) {
      panels.replaceChildren(h('p', {class: 'empty'}, model.says_empty))
      foot.replaceChildren()
      return
    }
    // Many sites with few days stand side by side.
    const n = frame.panels.length, turned = frame.n <= 4 && frame.span === 1
    const room = panels.clientWidth - 4, columns = n < 4 || turned ? 1 : frame.n <= 45 && room > 640 ? 3 : frame.n <= 130 && room > 480 ? 2 : 1
    const width = Math.floor((room - (columns - 1) * 14) / columns), rows = Math.ceil(n / columns)
    if (width < 100) return
    const least = turned ? 30 + 34 * frame.n : n === 1 ? 150 : 84
    const most = turned ? 40 + 110 * frame.n : n === 1 ? 640 : 260
    const height = Math.max(least, Math.min(most, Math.floor((panels.clientHeight - 2 - (n > 1 && !turned ? BOTTOM : 0)) / rows) - (n > 1 ? 4 : 0)))
    const scroll = panels.scrollTop, focused = root.getRootNode().activeElement?.getAttribute?.('data-map')
    const lowest = i => i >= n - columns
    drawing = true
    maps = frame.panels.map((panel, i) => layout(panel, i, width, height + (lowest(i) && n > 1 && !turned ? 14 : 0), lowest(i), columns > 1 && i % columns < columns - 1))
    panels.replaceChildren(...maps.map((map, i) => {
      const over = s('g', {})
      const tall = map.box.top + map.box.height + (lowest(i) || map.turned ? BOTTOM : 6)
      const plot = s('svg', {class: 'plot map', viewBox: `0 0 ${width} ${tall}`, style: {height: `${tall}px`, width: `${width}px`}, tabindex: 0, 'data-map': map.panel.site ?? '',
        role: 'application', 'aria-roledescription': 'map of days and hours',
        'aria-label': `${model.summary}${map.panel.site !== null ? ` ${map.panel.site || 'No site'}.` : ''} Arrow keys read it, Shift takes in more, Enter narrows, Escape goes back.`},
      marks_of(map, lowest(i)), brushes(map), over)
      listen(map, plot, over)
      return plot
    }), frame.left ? h('p', {class: 'says'}, `${many(frame.left, 'more site')}: choose some with the filter, or below.`) : '')
    panels.scrollTop = scroll
    if (focused !== null && focused !== undefined) [...panels.querySelectorAll('.map')].find(plot => plot.getAttribute('data-map') === focused)?.focus({preventScroll: true})
    drawing = false
    draw_foot(frame)
  }
  const draw_foot = frame => redraw(foot, () => make_foot(frame))
  function make_foot(frame) {
    const effort = model.unit === 'effort'
    const end = frame.most ? (effort ? `${per(frame.most)} min a day` : `${per(frame.most)}${' per recorded hour'}`) : ''
    const whole = frame.panels.some(panel => panel.sun)
    const turned = frame.n <= 4 && frame.span === 1
    foot.replaceChildren(
      turned ? h('span', {class: 'legend'}, h('i', {class: 'box full'}), end ? `up to ${end}` : 'never', !effort && end ? ', line: 95 % interval' : '')
        : h('span', {class: 'legend'}, '0', h('i', {class: 'ramp'}), end || 'never'),
      effort ? '' : h('span', {class: 'legend'}, h('i', {class: 'box heard'}), 'recorded, none found'),
      h('span', {class: 'legend'}, h('i', {class: 'box'}), 'not recorded'),
      whole ? h('span', {class: 'legend'}, h('i', {class: 'stroke'}), 'sunrise, sunset') : '',
      h('span', {class: 'grow'}),
      model.looked ? h('span', {class: 'looked'}, h('b', {}, model.looked),
        model.scored && model.hits ? h('button', {class: 'link', onclick: () => send('listen')}, `listen to ${count(model.hits)}`) : '',
        h('button', {class: 'link clear', onclick: () => send('clear')}, 'show all'))
        : h('span', {class: 'keys'}, 'drag to look at a part'))
  }

  // --- a picture to keep ---------------------------------------------------------------------
  function legend_words() {
    const {most} = model.frame
    if (model.unit === 'effort') return `Darkest: ${per(most)} min a day.`
    return `${maps[0]?.turned ? 'Full height' : 'Darkest'}: ${per(most)} per recorded hour. Grey: recorded, none found. Empty: not recorded.`
  }
  const STYLED = ['fill', 'fill-opacity', 'stroke', 'stroke-width', 'stroke-dasharray', 'opacity', 'font-size', 'font-weight', 'font-family']
  function paper_of() {
    const width = 1200, n = maps.length
    const heights = maps.map(map => map.turned ? 60 + 60 * map.frame.n : n === 1 ? 360 : 170)
    const total = 74 + heights.reduce((a, b) => a + b, 0)
    const mine = model.classes.find(c => c.name === model.active)
    const paper = s('svg', {viewBox: `0 0 ${width} ${total}`, width, height: total, class: 'plot'})
    const title = model.unit === 'effort' || !mine ? 'Recorded time' : mine.name
    paper.append(s('rect', {width, height: total, style: {fill: 'var(--card)'}}), s('text', {x: 16, y: 26, class: 'title'}, `${model.title}: ${title}`), s('text', {x: 16, y: 44}, `${model.words} ${legend_words()}`))
    let y = 56
    model.frame.panels.forEach((panel, i) => {
      const map = layout(panel, i, width - 24, heights[i], true)
      paper.append(s('g', {transform: `translate(12 ${y})`}, marks_of(map, true), brushes(map)))
      y += heights[i]
    })
    root.append(paper)
    // A file knows no stylesheet: what this page says of each mark is written into it.
    const nodes = [...paper.querySelectorAll('path, rect, line, text, g')]
    const styles = nodes.map(node => { const style = getComputedStyle(node); return STYLED.map(name => [name, style.getPropertyValue(name)]) })
    nodes.forEach((node, i) => {
      for (const [name, value] of styles[i]) if (value && (value !== 'none' || name === 'fill')) node.setAttribute(name, value)
      node.removeAttribute('class'); node.removeAttribute('style')
    })
    paper.remove()
    paper.removeAttribute('class')
    paper.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
    return {text: new XMLSerializer().serializeToString(paper), width, height: total}
  }
  function keep(blob, name) {
    const url = URL.createObjectURL(blob)
    const link = h('a', {href: url, download: name})
    root.append(link); link.click(); link.remove()
    setTimeout(() => URL.revokeObjectURL(url), 30000)
  }
  function picture(kind) {
    const {text, width, height} = paper_of()
    const blob = new Blob([text], {type: 'image/svg+xml'})
    if (kind === 'svg') { keep(blob, `${model.file}.svg`); return }
    const image = new Image(), canvas = h('canvas', {width: width * 2, height: height * 2})
    image.onload = () => { canvas.getContext('2d').drawImage(image, 0, 0, width * 2, height * 2); canvas.toBlob(png => keep(png, `${model.file}.png`)) }
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`
  }
  model.on('msg:custom', message => { if (message.kind === 'file') keep(new Blob([bytesFrom(message.data)], {type: message.mime}), message.name) })

  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; tip.hidden = true; draw() }) } }
  model.on(['frame', 'filter', 'classes', 'active', 'unit', 'clock', 'each', 'words', 'note', 'looked', 'hits', 'summary', 'says_empty', 'placed', 'scored', 'several'], soon)
  new ResizeObserver(soon).observe(panels)
  draw()
  return root
}

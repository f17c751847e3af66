// Maps of days and hours. Days go to the right and hours up; with few days it is turned, hours go to
// the right and each day is a row of bars. What was not recorded stays empty; what was recorded and
// held nothing is grey: silence and absence do not look alike.

const SHADES = 16
const DAY_MS = 86400000
const day_at = iso => new Date(`${iso}T00:00:00Z`)
const days_on = (iso, n) => new Date(day_at(iso).getTime() + n * DAY_MS).toISOString().slice(0, 10)
const days_between = (a, b) => Math.round((day_at(b) - day_at(a)) / DAY_MS)
const date_words = (iso, more = {}) => day_at(iso).toLocaleDateString('en-GB', {day: 'numeric', month: 'short', timeZone: 'UTC', ...more})
const hour_words = h => String(h).padStart(2, '0')
const clock_words = x => { const m = Math.round(x * 60); return `${hour_words(Math.floor(m / 60) % 24)}:${hour_words(m % 60)}` }
// Rates and lengths of sound, as figures.py writes them.
const per = x => x >= 10 ? Math.round(x).toLocaleString('en-US') : x >= 1 ? x.toFixed(1) : x > 0 ? String(Number(x.toPrecision(2))) : '0'
const length_words = hours => hours >= 1 ? `${hours < 100 ? hours.toFixed(1) : count(Math.round(hours))} h`
  : hours * 60 >= 1 ? `${Math.round(hours * 60)} min` : `${Math.round(hours * 3600)} s`
const band = h => `${hour_words(h)}–${hour_words(h + 1)} h`
const after_words = (h, what) => h < 0 ? `${-h}–${-h - 1} h before ${what}` : `${h}–${h + 1} h after ${what}`

// Buttons that are made anew keep the keyboard's focus; an open menu is left alone.
function redraw(part, draw) {
  if (part.querySelector('.menu')) return
  const now = part.getRootNode().activeElement
  const at = now && part.contains(now) ? [...part.querySelectorAll('button')].indexOf(now) : -1
  draw()
  if (at >= 0) part.querySelectorAll('button')[at]?.focus({preventScroll: true})
}

function actogram(frame, panel, box, effort) {
  const {left, top, width, height} = box
  const turned = frame.n <= 4 && frame.span === 1
  const [across, down] = turned ? [24, frame.n] : [frame.n, 24]
  const cw = width / across, ch = height / down
  const place = (d, h) => turned ? [left + h * cw, top + d * ch] : [left + d * cw, top + (23 - h) * ch]
  const cell_at = (x, y) => {
    const a = Math.floor((x - left) / cw), b = Math.floor((y - top) / ch)
    const held = (v, n) => Math.max(0, Math.min(n - 1, v))
    return turned ? {d: held(b, frame.n), h: held(a, 24)} : {d: held(a, frame.n), h: 23 - held(b, 24)}
  }
  const value = i => panel.seconds[i] === 0 ? null
    : effort ? panel.seconds[i] / 60 / frame.span : panel.count[i] * 3600 / panel.seconds[i]
  return {turned, cw, ch, place, cell_at, value, box, frame, panel, effort}
}

// The cells as a few paths, one for each shade: thousands of them stay quick to draw.
function cell_paths(map, inside) {
  const {frame, panel, turned, cw, ch, place, value} = map
  const paths = {in: {}, out: {}}
  const gap = Math.min(1, Math.min(cw, ch) * 0.16)
  const put = (side, shade, x, y, w, h) => { (paths[side][shade] ??= []).push(`M${x.toFixed(1)} ${y.toFixed(1)}h${w.toFixed(1)}v${h.toFixed(1)}h${(-w).toFixed(1)}z`) }
  const recorded = panel.seconds.filter(x => x > 0).sort((a, b) => a - b)
  const usual = recorded[Math.floor(recorded.length * 0.75)] || 1
  const sized = !turned && Math.min(cw, ch) >= 5 && !map.effort
  const limits = new Map(frame.limits.map(([k, low, high]) => [k, [low, high]]))
  for (let d = 0; d < frame.n; d++) {
    for (let h = 0; h < 24; h++) {
      const i = d * 24 + h, v = value(i)
      if (v === null) continue
      const side = inside(d, h) ? 'in' : 'out'
      const [x, y] = place(d, h)
      const share = frame.most > 0 ? Math.min(1, v / frame.most) : 0
      if (turned) {
        const floor = y + ch - 3, tall = Math.max(4, ch - 12)
        put(side, 0, x + gap, floor, cw - 2 * gap, 3)
        if (v > 0) put(side, SHADES, x + gap, floor - share * tall, cw - 2 * gap, share * tall + 3)
        if (v > 0 && !map.effort) {
          const [low, high] = limits.get(panel.count[i]).map(k => Math.min(1.04, k * 3600 / panel.seconds[i] / frame.most))
          put(side, 'whisker', x + cw / 2 - 0.5, floor - high * tall, 1, (high - low) * tall)
        }
        continue
      }
      // Little recorded, little weight: such a cell is drawn smaller.
      const size = sized && v > 0 ? Math.max(0.45, Math.min(1, Math.sqrt(panel.seconds[i] / usual))) : 1
      const w = (cw - gap) * size, t = (ch - gap) * size
      put(side, v > 0 ? Math.max(1, Math.ceil(share * SHADES)) : 0, x + (cw - w) / 2, y + (ch - t) / 2, w, t)
    }
  }
  return ['out', 'in'].map(side => s('g', {class: `cells ${side}`}, Object.entries(paths[side]).map(([shade, marks]) =>
    s('path', {d: marks.join(''), class: shade === '0' ? 'heard' : shade === 'whisker' ? 'whisker' : 'rate',
      'fill-opacity': shade === '0' || shade === 'whisker' ? null : (0.14 + 0.86 * shade / SHADES).toFixed(3)}))))
}

// Sunrise, sunset, dawn and dusk; in hours after sunrise the sun's other hours move instead.
function sun_curves(map, clock) {
  const {frame, panel, turned, cw, ch, box} = map
  const sun = panel.sun
  if (!sun) return []
  const origin = clock === 'after_sunrise' ? 'sunrise' : clock === 'after_sunset' ? 'sunset' : null
  const hour = (event, d) => {
    const at = sun[event][d]
    if (at === null || (origin && sun[origin][d] === null)) return null
    return origin ? (((at - sun[origin][d] + 36) % 24) + 24) % 24 - 12 : at
  }
  const marks = []
  const thin = !turned && box.height < 110
  for (const event of thin ? ['sunrise', 'sunset'] : ['dawn', 'sunrise', 'sunset', 'dusk']) {
    const line = []
    let before = null, last = null
    for (let d = 0; d < frame.n; d++) {
      const at = hour(event, d)
      if (at === null) { before = null; continue }
      const along = at - frame.low
      if (turned) {
        const x = box.left + along * cw
        line.push(`M${x.toFixed(1)} ${(box.top + d * ch + 2).toFixed(1)}V${(box.top + (d + 1) * ch).toFixed(1)}`)
        last = [x, box.top]
      } else {
        const y = box.top + box.height - along * ch
        const broken = before === null || Math.abs(before - at) > 4
        line.push(broken ? `M${(box.left + d * cw).toFixed(1)} ${y.toFixed(1)}H${(box.left + (d + 0.5) * cw).toFixed(1)}`
          : `L${(box.left + (d + 0.5) * cw).toFixed(1)} ${y.toFixed(1)}`)
        if (d === frame.n - 1) { line.push(`H${(box.left + box.width).toFixed(1)}`); last = [box.left + box.width, y] }
      }
      before = at
    }
    marks.push(s('path', {d: line.join(''), class: `sun ${event}${thin ? ' thin' : ''}`}))
    if (last && box.words !== false && (event === 'sunrise' || event === 'sunset')) {
      marks.push(s('text', turned ? {x: last[0] + 3, y: last[1] + 9, class: 'sunword'} : {x: last[0] + 5, y: last[1] + 3.5, class: 'sunword'}, event))
    }
  }
  return marks
}

function hour_ticks(map, clock) {
  const {turned, cw, ch, box, frame} = map
  const tall = turned ? box.width : box.height
  const step = tall < 90 ? 12 : 6
  const words = h => clock === 'hour' ? (h === 24 && !turned ? '24' : hour_words(h)) : h > 0 ? `+${h}` : h < 0 ? `−${-h}` : '0'
  const marks = []
  for (let h = 0; h <= 24; h += step) {
    const text = words(h + frame.low)
    if (turned) marks.push(s('text', {x: box.left + h * cw, y: box.top + box.height + 13, 'text-anchor': h === 24 ? 'end' : h === 0 ? 'start' : 'middle'}, h === 0 && clock === 'hour' ? '00 h' : text))
    else marks.push(s('text', {x: box.left - 7, y: box.top + box.height - h * ch + (h === 24 ? 8 : h === 0 ? 0 : 4), 'text-anchor': 'end'}, text))
    if (h > 0 && h < 24) marks.push(turned
      ? s('line', {x1: box.left + h * cw, x2: box.left + h * cw, y1: box.top, y2: box.top + box.height, class: 'guide'})
      : s('line', {x1: box.left, x2: box.left + box.width, y1: box.top + box.height - h * ch, y2: box.top + box.height - h * ch, class: 'guide'}))
  }
  return marks
}

// Names of days or months, as many as there is room for.
function day_ticks(map) {
  const {turned, cw, ch, box, frame} = map
  const first = day_at(frame.first), n = frame.n * frame.span
  if (turned) {
    return Array.from({length: frame.n}, (_, d) => s('text', {x: 0, y: box.top + (d + 1) * ch - 4},
      date_words(days_on(frame.first, d))))
  }
  const marks = []
  const at = ms => box.left + (ms - first) / DAY_MS / frame.span * cw
  const tick = (ms, text, strong) => marks.push(
    s('line', {x1: at(ms), x2: at(ms), y1: box.top + box.height, y2: box.top + box.height + 4, class: 'axis'}),
    s('text', {x: at(ms) + 3, y: box.top + box.height + 14, class: strong ? 'strong' : null}, text))
  const end = box.left + box.width
  if (n > 62) {
    const step = [1, 2, 3, 6, 12].find(m => m * 30.4 / frame.span * cw > 44) ?? 12
    for (let y = first.getUTCFullYear(), m = first.getUTCMonth(); ; m += 1) {
      const ms = Date.UTC(y, m, 1), when = new Date(ms)
      if (at(ms) > end - 20) break
      if (ms < first || when.getUTCMonth() % step) continue
      tick(ms, when.toLocaleDateString('en-GB', when.getUTCMonth() === 0 ? {year: 'numeric', timeZone: 'UTC'} : {month: 'short', timeZone: 'UTC'}), when.getUTCMonth() === 0)
    }
  } else {
    const step = [1, 2, 7, 14].find(k => k * cw / frame.span > 52) ?? 14
    for (let d = 0; d < n; d += step) if (at(first.getTime() + d * DAY_MS) < end - 30) tick(first.getTime() + d * DAY_MS, date_words(days_on(frame.first, d)))
  }
  return marks
}

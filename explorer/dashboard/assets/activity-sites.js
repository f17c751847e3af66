// Where: the sites in metres, with a scale and north, and without any network; beside it a list.

export function render({model, view, el}) {
  const send = sender(model, view)
  const bar = h('header', {})
  const chart = h('div', {class: 'chart'})
  const list = h('ul', {class: 'list', 'aria-label': 'Sites'})
  const how = h('p', {class: 'how'})
  const both = h('div', {class: 'both'})
  const tip = h('div', {class: 'tip', hidden: true})
  const file = h('input', {type: 'file', accept: '.csv,.txt,.tsv,text/csv', hidden: true, onchange: () => { read(file.files[0]); file.value = '' }})
  const root = h('section', {class: 'card panel', 'aria-label': 'Where'}, bar, both, file, tip)
  let placing = null
  const named = site => site.site || 'no site'
  const effort = () => model.unit === 'effort'
  const is_on = site => model.chosen.includes(site.site)
  const value = site => effort() ? site.hours : site.rate ?? 0

  async function read(chosen) {
    if (!chosen) return
    const bytes = new Uint8Array(await chosen.arrayBuffer())
    let text = ''
    for (let i = 0; i < bytes.length && i < 2 ** 21; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192))
    send('table', {name: chosen.name, data: btoa(text)})
  }
  function words_of(site) {
    if (!site.hours) return 'Nothing was recorded in what is looked at.'
    const recorded = `${length_words(site.hours)} recorded`
    if (effort()) return `${recorded}.`
    return `${per(site.rate)} per recorded hour (${per(site.low)}–${per(site.high)}): ${site.count === 1 ? `1 ${model.unit.slice(0, -1)}` : `${count(site.count)} ${model.unit}`} in ${recorded}.`
  }
  const degrees = (x, plus, minus) => `${Math.abs(x).toFixed(Math.abs(x) < 100 ? 4 : 3)}° ${x < 0 ? minus : plus}`
  const place_words = site => site.latitude === null ? '' : `${degrees(site.latitude, 'N', 'S')}, ${degrees(site.longitude, 'E', 'W')}${site.source === 'recorder' ? ', as its recorder says' : ''}`

  const draw_bar = () => redraw(bar, make_bar)
  function make_bar() {
    const table = model.may_place ? h('button', {class: 'choice', title: 'A table with the columns site, latitude, longitude', onclick: () => file.click()}, icon('file', 13), 'coordinates') : ''
    bar.replaceChildren(h('h2', {}, 'Where'), h('small', {}, effort() ? 'recorded hours' : 'per recorded hour'), h('span', {class: 'grow'}),
      model.chosen.length ? h('button', {class: 'link', onclick: () => send('all')}, 'all sites') : '', table)
  }

  // --- the map -------------------------------------------------------------------------------
  const nice = x => { const e = 10 ** Math.floor(Math.log10(x)); return [5, 2, 1].find(k => k * e <= x) * e }
  function draw_chart() {
    const placed = model.sites.filter(site => site.x !== null)
    both.classList.toggle('placeless', !placed.length)
    if (!placed.length) {
      how.replaceChildren(...(model.may_place
        ? ['Say where the sites are, and they appear on a map, with sunrise and sunset beside the hours: press ', icon('pencil', 11), ' at a site, choose a table with ', h('code', {}, 'site,latitude,longitude'), ', or run ', h('code', {}, model.command), '.']
        : ['The sites are on a map once an owner of the collection has said where they are: ', h('code', {}, model.command), '.']))
      both.replaceChildren(how, list)
      return
    }
    both.replaceChildren(chart, list)
    const width = chart.clientWidth, height = chart.clientHeight
    if (width < 60 || height < 60) return
    const xs = placed.map(site => site.x), ys = placed.map(site => site.y)
    const margin = 40
    const extent = Math.max((Math.max(...xs) - Math.min(...xs)) / (width - 2 * margin - 30), (Math.max(...ys) - Math.min(...ys)) / (height - 2 * margin - 22), 1 / 50)  // metres per pixel
    const middle = [(Math.max(...xs) + Math.min(...xs)) / 2, (Math.max(...ys) + Math.min(...ys)) / 2]
    const at = site => [width / 2 + (site.x - middle[0]) / extent, height / 2 - 6 - (site.y - middle[1]) / extent]
    const most = Math.max(1e-9, ...placed.map(value))
    const biggest = placed.length > 30 ? 11 : placed.length > 12 ? 14 : 18
    const radius = site => !site.hours ? 5 : value(site) > 0 ? Math.max(4, biggest * Math.sqrt(value(site) / most)) : 5
    const taken = [], pen = h('canvas').getContext('2d')
    pen.font = `11.5px ${getComputedStyle(root).fontFamily}`
    const label = (site, x, y, r) => {  // where there is room: right, left, above or below
      const w = pen.measureText(named(site)).width + 4, t = 13
      const tries = [[x + r + 4, y + 4, 'start', x + r + 4], [x - r - 4, y + 4, 'end', x - r - 4 - w], [x, y - r - 5, 'middle', x - w / 2], [x, y + r + 13, 'middle', x - w / 2]]
      for (const [tx, ty, anchor, x0] of tries) {
        const box = [x0, ty - t + 2, x0 + w, ty + 3]
        if (x0 < 2 || box[2] > width - 2 || ty > height - 30 && x0 < 130) continue
        if (taken.some(b => box[0] < b[2] && box[2] > b[0] && box[1] < b[3] && box[3] > b[1])) continue
        taken.push(box)
        return s('text', {x: tx, y: ty, 'text-anchor': anchor}, named(site))
      }
      return ''
    }
    for (const site of placed) { const [x, y] = at(site), r = radius(site); taken.push([x - r, y - r, x + r, y + r]) }
    const dots = [...placed].sort((a, b) => value(b) - value(a)).map(site => {
      const [x, y] = at(site), r = radius(site)
      const on = is_on(site), out = model.chosen.length > 0 && !on
      const dot = s('g', {class: `site${on ? ' on' : ''}${out ? ' out' : ''}`, role: 'button', tabindex: 0, 'aria-pressed': String(on), 'data-site': site.site,
        'aria-label': `${named(site)}: ${words_of(site)}`,
        onclick: event => send('choose', {site: site.site, more: event.shiftKey || event.ctrlKey || event.metaKey}),
        onkeydown: event => { if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); event.stopPropagation(); send('choose', {site: site.site, more: event.shiftKey}) } },
        onpointerenter: () => show(site, x, y, r), onfocus: () => show(site, x, y, r), onpointerleave: () => { tip.hidden = true }, onblur: () => { tip.hidden = true }},
      s('circle', {cx: x, cy: y, r, class: !site.hours ? 'unheard' : value(site) > 0 ? 'dot' : 'none'}), s('circle', {cx: x, cy: y, r: r + 3.5, class: 'halo'}), label(site, x, y, r))
      return dot
    })
    const metres = nice(extent * Math.min(110, width / 3)), long = metres / extent
    const scale = metres >= 1000 ? `${count(metres / 1000)} km` : `${count(metres)} m`
    const plot = s('svg', {class: 'plot', viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': `Map of ${many(placed.length, 'site')}, north up`},
      s('rect', {width, height, class: 'ground'}), dots,
      s('path', {d: `M12 ${height - 16}v5h${long.toFixed(1)}v-5`, class: 'scale'}), s('text', {x: 12 + long / 2, y: height - 17, 'text-anchor': 'middle'}, scale),
      s('path', {d: `M${width - 16} ${height - 12}v-22`, class: 'north'}), s('path', {d: `M${width - 20} ${height - 30}l4-8 4 8z`, class: 'north tip2'}), s('text', {x: width - 16, y: height - 42, 'text-anchor': 'middle'}, 'N'))
    const held = chart.getRootNode().activeElement?.getAttribute?.('data-site')
    chart.replaceChildren(plot)
    if (held !== null && held !== undefined) [...plot.querySelectorAll('.site')].find(dot => dot.getAttribute('data-site') === held)?.focus()
  }
  function show(site, x, y, r) {
    tip.replaceChildren(h('b', {}, named(site)), words_of(site), h('br'), place_words(site))
    tip.hidden = false
    const frame = root.getBoundingClientRect(), at = chart.getBoundingClientRect()
    tip.style.left = `${Math.max(8, Math.min(at.left - frame.left + x - tip.offsetWidth / 2, frame.width - tip.offsetWidth - 8))}px`
    const above = at.top - frame.top + y - r - tip.offsetHeight - 8
    tip.style.top = `${above < 4 ? at.top - frame.top + y + r + 10 : above}px`
  }

  // --- the list ------------------------------------------------------------------------------
  function draw_list() {
    const most = Math.max(1e-9, ...model.sites.map(value))
    const order = [...model.sites].sort((a, b) => value(b) - value(a) || b.hours - a.hours)
    list.replaceChildren(...order.map(site => h('li', {},
      h('button', {class: 'row', 'aria-pressed': String(is_on(site)), title: place_words(site) || null, onclick: event => send('choose', {site: site.site, more: event.shiftKey || event.ctrlKey || event.metaKey})},
        h('span', {class: 'word'}, named(site)),
        h('span', {class: 'number'}, effort() ? length_words(site.hours) : site.rate === null ? '–' : per(site.rate)),
        h('span', {class: 'track'}, h('i', {style: {width: `${100 * value(site) / most}%`}})),
        effort() ? '' : h('small', {}, site.rate === null ? 'not recorded' : `${per(site.low)}–${per(site.high)}, in ${length_words(site.hours)}`)),
      model.may_place ? h('button', {class: 'bare give', 'aria-label': `Where is ${named(site)}?`, title: site.latitude === null ? 'Say where it is' : `Where it is: ${place_words(site)}`,
        onclick: () => { placing = placing === site.site ? null : site.site; draw_list() }}, icon('pencil', 12)) : '',
      placing === site.site ? place_form(site) : '')))
  }
  function place_form(site) {
    const field = keepKeys(h('input', {type: 'text', value: site.source === 'given' || site.latitude !== null ? `${site.latitude}, ${site.longitude}` : '', placeholder: 'latitude, longitude', 'aria-label': `Latitude and longitude of ${named(site)}`}))
    const close = () => { placing = null; draw_list() }
    const save = () => { send('place', {site: site.site, position: field.value}); close() }
    field.addEventListener('keydown', event => { if (event.key === 'Enter') save(); if (event.key === 'Escape') close() })
    requestAnimationFrame(() => field.focus())
    return h('div', {class: 'placing'}, field, h('button', {class: 'primary', onclick: save}, 'Save'), h('button', {onclick: close}, 'Cancel'),
      h('small', {}, 'In degrees, such as −27.4698, 153.0251 or 27.4698 S 153.0251 E. Empty forgets it.'))
  }
  function draw() {
    root.style.setProperty('--mine', effort() ? 'var(--accent)' : `var(--class-${model.style % 8})`)
    draw_bar()
    draw_chart()
    if (placing === null) redraw(list, draw_list)
  }
  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; tip.hidden = true; draw() }) } }
  model.on(['sites', 'chosen', 'unit', 'style'], soon)
  new ResizeObserver(soon).observe(chart)
  new ResizeObserver(soon).observe(root)
  draw()
  return root
}

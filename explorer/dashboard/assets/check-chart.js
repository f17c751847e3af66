// Middle: precision and recall against the threshold, the ROC, what scores mean, what is mixed up.

export function render({model, view}) {
  const send = sender(model, view)
  const title = h('span', {class: 'named'})
  const found = h('small', {})
  const figures = h('dl', {class: 'figures'})
  const plot = s('svg', {class: 'plot', role: 'slider', tabindex: 0, 'aria-label': 'Threshold', 'aria-valuemin': 0, 'aria-valuemax': 1})
  const offers = h('div', {class: 'row offers'})
  const rests = h('p', {class: 'says'})
  const more = h('div', {class: 'more'})
  const body = h('div', {class: 'body'}, figures, plot, offers, rests, more)
  const teach = h('p', {class: 'teach'})
  const status = h('small', {class: 'status', role: 'status'})
  const root = h('section', {class: 'card panel', 'aria-label': 'How well it is found'},
    h('header', {}, title, status, found), teach, body)
  let held = null

  const threshold = () => held ?? model.threshold
  const percent = x => x >= 0.0995 || x === 0 ? `${Math.round(100 * x)} %` : `${(100 * x).toFixed(1)} %`
  const level = () => `${Math.round(100 * model.curve.level)} %`
  function at(rows) {
    const xs = model.curve.thresholds
    const next = xs.findIndex(x => x >= threshold() - 1e-6)
    return rows[next < 0 ? xs.length - 1 : next]
  }

  // --- precision and recall -------------------------------------------------------------------
  const LEFT = 36, TOP = 8, BOTTOM = 22
  function lines(width, height) {
    const c = model.curve, xs = c.thresholds, x0 = xs[0], x1 = xs.at(-1)
    const x = t => LEFT + (t - x0) / (x1 - x0) * (width - LEFT - 8)
    const y = v => TOP + (1 - v) * (height - TOP - BOTTOM)
    const marks = []
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      marks.push(s('line', {class: 'grid', x1: LEFT, x2: width - 8, y1: y(share), y2: y(share)}))
      if (share % 0.5 === 0) marks.push(s('text', {x: LEFT - 6, y: y(share) + 4, 'text-anchor': 'end'}, `${100 * share} %`))
    }
    for (const name of ['recall', 'precision']) {
      const known = c[name].map((v, i) => v && [xs[i], ...v]).filter(Boolean)
      if (!known.length) continue
      const up = known.map(([t, , , high]) => `${x(t).toFixed(1)} ${y(high).toFixed(1)}`)
      const down = known.toReversed().map(([t, , low]) => `${x(t).toFixed(1)} ${y(low).toFixed(1)}`)
      marks.push(s('path', {class: `band ${name}`, d: `M${[...up, ...down].join('L')}z`}))
    }
    for (const name of ['recall', 'precision']) {
      const known = c[name].map((v, i) => v && [xs[i], v[0]]).filter(Boolean)
      if (known.length) marks.push(s('path', {class: `curve ${name}`, d: `M${known.map(([t, v]) => `${x(t).toFixed(1)} ${y(v).toFixed(1)}`).join('L')}`}))
    }
    const cut = x(threshold()), base = height - BOTTOM
    marks.push(s('line', {class: 'cut', x1: cut, x2: cut, y1: 2, y2: base + 3}),
      s('rect', {class: 'grip', x: cut - 3, y: TOP + (base - TOP) * 0.42, width: 6, height: 18, rx: 3}),
      s('text', {x: LEFT, y: height - 4}, cut < LEFT + 26 ? '' : x0.toFixed(0)),
      s('text', {x: width - 8, y: height - 4, 'text-anchor': 'end'}, cut > width - 34 ? '' : '1'),
      s('text', {x: cut, y: height - 4, 'text-anchor': 'middle', class: 'at'}, score(threshold())))
    return marks
  }
  function told(name) {
    const v = at(model.curve[name])
    return v ? [percent(v[0]), `${percent(v[1]).replace(' %', '')}–${percent(v[2])}`] : ['not known', '']
  }
  function draw_plot() {
    const width = plot.clientWidth || 560, height = plot.clientHeight || 240
    plot.setAttribute('viewBox', `0 0 ${width} ${height}`)
    plot.replaceChildren(...lines(width, height))
    const precision = told('precision'), recall = told('recall')
    plot.setAttribute('aria-valuenow', threshold().toFixed(2))
    plot.setAttribute('aria-valuetext', `threshold ${score(threshold())}: precision ${precision.join(', ')}; recall ${recall.join(', ')}`)
    const auc = model.curve.auc
    const figure = (key, name, [value, between], note, title) => h('div', {class: key, title}, h('dt', {}, h('i', {'aria-hidden': 'true'}), name),
      h('dd', {}, h('b', {}, value), between && h('span', {}, between), h('small', {}, note)))
    figures.replaceChildren(
      figure('precision', 'Precision', precision, `of detections at ${score(threshold())} are right`, `The interval holds the true share in ${level()} of cases`),
      figure('recall', 'Recall', recall, `of calls are found at ${score(threshold())}`, `The interval holds the true share in ${level()} of cases`),
      auc && figure('auc', 'AUC', [score(auc.value), `${score(auc.low)}–${score(auc.high)}`], 'in recordings left out',
        'The chance that a window with it scores above one without it, in recordings of which nothing was learnt') || '')
  }

  // --- beside: the ROC, what scores mean, what is mixed up -----------------------------------------
  const SIDE = 132
  function frame(name, said, marks, note) {
    return h('figure', {class: 'small'}, h('h3', {}, name),
      s('svg', {viewBox: `0 0 ${SIDE} ${SIDE}`, role: 'img', 'aria-label': said},
        s('rect', {class: 'frame', x: 0.5, y: 0.5, width: SIDE - 1, height: SIDE - 1}),
        s('line', {class: 'chance', x1: 0, x2: SIDE, y1: SIDE, y2: 0}), marks), h('figcaption', {}, note))
  }
  const X = v => (v * SIDE).toFixed(1), Y = v => ((1 - v) * SIDE).toFixed(1)
  function roc() {
    const c = model.curve
    if (!c.auc) return ''
    return frame('ROC', `ROC curve with an area of ${score(c.auc.value)}, between ${score(c.auc.low)} and ${score(c.auc.high)}`,
      [s('path', {class: 'curve precision', d: `M${c.roc.map(([x, y]) => `${X(x)} ${Y(y)}`).join('L')}`})],
      'found against false alarms')
  }
  function bins() {
    const rows = model.curve.bins
    const words = rows.map(([low, high, , share]) => `${score(low)} to ${score(high)}: ${percent(share)}`).join('; ')
    return frame('What scores mean', `Share of windows with it by score. ${words}`,
      rows.map(([low, high, value, share, from, to, n]) => s('g', {},
        s('line', {class: 'between', x1: X(value), x2: X(value), y1: Y(from), y2: Y(to)}),
        s('circle', {class: 'dot', cx: X(value), cy: Y(share), r: 3}),
        s('title', {}, `score ${score(low)} to ${score(high)}: ${percent(share)} have it (${percent(from)} to ${percent(to)}; ${many(n, 'label')})`))),
      'share with it against score')
  }
  const who = part => part.name ? h('span', {class: 'who'}, part.shape ? sign(part.shape, part.style, 11) : '', part.name) : null
  function mixed() {
    const m = model.mixed
    if (!m) return ''
    const bar = n => h('span', {class: 'count'}, count(n))
    return h('div', {class: 'mixed'}, h('h3', {}, 'What is mixed up'),
      h('p', {class: 'says'}, `${m.found} of ${many(m.examples, 'example')} found when left out, at ${score(model.threshold)}.`),
      h('ul', {}, m.missed.map(part => h('li', {}, bar(part.windows), part.name ? [' missed, taken for ', who(part)] : ' missed, taken for nothing else')),
        m.mistaken.map(part => h('li', {}, bar(part.windows), part.name ? [' of ', who(part), ' taken for it'] : ' taken for it that somebody refused'))),
      !m.missed.length && !m.mistaken.length && h('p', {class: 'says'}, 'Nothing among the labelled windows.'))
  }

  function draw() {
    const t = model.target, has = Boolean(model.curve)
    title.replaceChildren(...t ? [sign(t.shape, t.style, 16), t.name] : [h('h2', {}, 'How well it is found')])
    root.style.setProperty('--mine', t ? `var(--class-${t.style % 8})` : 'var(--accent)')
    found.textContent = has && model.found !== null ? `${many(model.found, 'window')} at or above ${score(threshold())}` : ''
    body.hidden = !has
    teach.hidden = has
    teach.textContent = model.empty
    body.classList.toggle('outdated', model.outdated)
    status.textContent = has && model.outdated ? 'labels changed: testing again…' : ''
    if (!has) return
    draw_plot()
    refill(offers, h('span', {class: 'says'}, 'Threshold for'), model.wanted.map(p =>
      h('button', {class: 'pill', title: `The lowest threshold at which ${percent(p)} of detections are right`, onclick: () => send('precision', {wanted: p})}, `${percent(p)} right`)))
    rests.replaceChildren(h('b', {}, 'Rests on '), lower(model.curve.sentence), model.curve.message ? ` ${model.curve.message}` : '')
    more.replaceChildren(...[roc(), bins(), mixed()].filter(Boolean))
  }
  const lower = text => /^\d/.test(text) ? text : text.charAt(0).toLowerCase() + text.slice(1)

  // --- the threshold in the hand ---------------------------------------------------------------
  const value_at = event => {
    const box = plot.getBoundingClientRect(), xs = model.curve.thresholds
    const share = Math.min(1, Math.max(0, (event.clientX - box.left - LEFT) / (box.width - LEFT - 8)))
    return xs[0] + share * (xs.at(-1) - xs[0])
  }
  let sent = 0
  const tell = now => {
    if (!now && Date.now() - sent < 120) return
    sent = Date.now()
    send('threshold', {value: Math.round(held * 1000) / 1000})
  }
  plot.addEventListener('pointerdown', event => { plot.setPointerCapture(event.pointerId); held = value_at(event); draw_plot() })
  plot.addEventListener('pointermove', event => { if (held !== null && plot.hasPointerCapture(event.pointerId)) { held = value_at(event); draw_plot(); tell(false) } })
  plot.addEventListener('pointerup', event => { if (held !== null) { held = value_at(event); tell(true); model.threshold = held; held = null; draw() } })
  plot.addEventListener('pointercancel', () => { held = null; draw() })
  plot.addEventListener('keydown', event => {
    const step = {ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01, PageDown: -0.1, PageUp: 0.1}[event.key]
    const end = {Home: 0, End: 1}[event.key]
    if (step === undefined && end === undefined || !model.curve) return
    event.preventDefault(); event.stopPropagation()
    send('threshold', {value: end ?? Math.min(1, Math.max(0, Math.round((model.threshold + step) * 100) / 100))})
  })
  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw() }) } }
  model.on(['target', 'curve', 'threshold', 'found', 'mixed', 'outdated', 'empty'], soon)
  new ResizeObserver(soon).observe(plot)
  draw()
  return root
}

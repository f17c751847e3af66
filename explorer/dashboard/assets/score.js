// Below the map: how sure. The scores of the active class, and the threshold that one can take hold of.

export function render({model, view, el}) {
  const send = sender(model, view)
  const says = h('small', {class: 'says'})
  const plot = s('svg', {class: 'plot', role: 'slider', tabindex: 0, 'aria-label': 'Threshold',
    'aria-valuemin': 0, 'aria-valuemax': 1})
  const empty = h('p', {class: 'empty'}, 'How sure each window is, once a class has an example.')
  const trust = h('small', {class: 'trust'})
  const check = h('button', {class: 'link', title: 'How far can it be trusted, and what next?', onclick: () => send('check')}, 'check')
  const leave = h('button', {class: 'link', title: 'Back to your classes', onclick: () => send('leave')}, 'close')
  const foot = h('div', {class: 'foot'}, trust, check, leave)
  const root = h('section', {class: 'card panel', 'aria-label': 'Score'},
    h('header', {}, h('h2', {}, 'Score'), says), plot, foot, empty)
  let held = null

  const threshold = () => held ?? model.threshold
  function found() {
    if (held === null) return model.found
    const bins = model.counts.length
    return Math.round(model.counts.reduce((sum, n, i) => {
      const inside = Math.min(1, Math.max(0, (i + 1) - held * bins))
      return sum + n * inside
    }, 0))
  }

  function draw() {
    const has = model.counts.length > 0
    plot.style.display = has ? '' : 'none'
    empty.hidden = has
    // Its line is kept while it is not known, so that the histogram does not jump.
    foot.hidden = !has
    check.hidden = model.visiting
    leave.hidden = !model.visiting
    trust.textContent = model.trust?.text ?? '\u00a0'
    trust.title = model.trust?.note ?? ''
    trust.classList.toggle('outdated', Boolean(model.trust?.outdated))
    const all = model.of === null || held !== null ? '' : ` of ${count(model.of)}`
    says.textContent = has ? `${held === null ? '' : '≈ '}${all ? `${count(found())}${all} windows` : many(found(), 'window')} at or above ${score(threshold())}${model.of === null ? '' : ', as filtered'}` : ''
    says.title = says.textContent
    if (!has) return
    const width = plot.clientWidth || 260, height = plot.clientHeight || 110
    const base = height - 17, top = 14, bins = model.counts.length
    plot.setAttribute('viewBox', `0 0 ${width} ${height}`)
    // Few windows score high: square roots keep them in sight beside the many that do not.
    const most = Math.sqrt(Math.max(1, ...model.counts))
    const step = width / bins
    const bars = model.counts.map((n, i) => {
      const tall = n ? Math.max(1.5, Math.sqrt(n) / most * (base - top)) : 0
      const above = (i + 0.5) / bins >= threshold()
      return s('rect', {x: i * step + 0.5, y: base - tall, width: Math.max(1, step - 1), height: tall, rx: 1,
        class: above ? 'above' : 'below'},
        s('title', {}, `${many(n, 'window')} from ${score(i / bins)} to ${score((i + 1) / bins)}`))
    })
    const ticks = (at, kind) => at.map(x => s('path', {class: kind,
      d: kind === 'yes' ? `M${x * width} ${top - 4}l-3.500-6h7z` : `M${x * width - 2.500} ${top - 10}l5 5m0-5l-5 5`}))
    const x = threshold() * width
    const anchor = x > width - 30 ? 'end' : x < 24 ? 'start' : 'middle'
    plot.replaceChildren(...bars,
      s('line', {x1: 0, x2: width, y1: base + 0.5, y2: base + 0.5, class: 'axis'}),
      ...ticks(model.yes, 'yes'), ...ticks(model.no, 'no'),
      s('line', {x1: x, x2: x, y1: 2, y2: base + 3, class: 'cut'}),
      s('rect', {x: x - 3, y: base * 0.42, width: 6, height: 18, rx: 3, class: 'grip'}),
      s('text', {x: 0, y: height - 3}, x < 40 ? '' : '0'),
      s('text', {x: width, y: height - 3, 'text-anchor': 'end'}, x > width - 40 ? '' : '1'),
      s('text', {x, y: height - 3, 'text-anchor': anchor, class: 'at'}, score(threshold())))
    plot.setAttribute('aria-valuenow', threshold().toFixed(2))
    root.style.setProperty('--mine', `var(--class-${model.style % 8})`)
  }

  const at = event => {
    const box = plot.getBoundingClientRect()
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width))
  }
  let sent = 0
  const tell = now => {
    if (!now && Date.now() - sent < 120) return
    sent = Date.now(); send('threshold', {value: Math.round(held * 1000) / 1000})
  }
  plot.addEventListener('pointerdown', event => { plot.setPointerCapture(event.pointerId); held = at(event); draw() })
  plot.addEventListener('pointermove', event => { if (held !== null && plot.hasPointerCapture(event.pointerId)) { held = at(event); draw(); tell(false) } })
  plot.addEventListener('pointerup', event => { if (held !== null) { held = at(event); draw(); tell(true); model.threshold = held; held = null } })
  plot.addEventListener('keydown', event => {
    const step = {ArrowLeft: -0.01, ArrowRight: 0.01, PageDown: -0.1, PageUp: 0.1}[event.key]
    if (!step || !model.counts.length) return
    event.preventDefault(); event.stopPropagation()
    send('threshold', {value: Math.min(1, Math.max(0, Math.round((model.threshold + step) * 100) / 100))})
  })
  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw() }) } }
  model.on(['counts', 'threshold', 'found', 'yes', 'no', 'style', 'trust', 'of', 'visiting'], soon)
  new ResizeObserver(soon).observe(plot)
  draw()
  return root
}

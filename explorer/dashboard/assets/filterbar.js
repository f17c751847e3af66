// Under the top line: what is looked at. A chip for each thing to narrow by; a chip that narrows is
// filled and says how. Every view obeys.

export function render({model, view, el}) {
  const send = sender(model, view)
  const chips = h('div', {class: 'chips', role: 'toolbar', 'aria-label': 'Filter'})
  const left = h('span', {class: 'left', 'aria-live': 'polite'})
  const root = h('section', {class: 'filterbar', 'aria-label': 'What is looked at'},
    h('span', {class: 'lead quiet', 'aria-hidden': 'true'}, icon('filter', 13), 'Show'), chips, left)
  const narrow = values => send('narrow', values)

  // --- the panels under the chips ------------------------------------------------------------
  const button = (text, act, more = {}) => h('button', {onclick: act, ...more}, text)
  function sites(close) {
    const chosen = new Set(model.filter.sites)
    const box = ([name, n]) => h('label', {class: 'choice'}, h('input', {type: 'checkbox', value: name,
      checked: chosen.has(name), onchange: event => { event.target.checked ? chosen.add(name) : chosen.delete(name); narrow({sites: [...chosen]}) }}),
      h('span', {}, name), h('small', {}, count(n)))
    const list = h('div', {class: 'choices'}, model.sites.map(box))
    const find = keepKeys(h('input', {type: 'search', placeholder: 'find a site', 'aria-label': 'Find a site',
      oninput: () => list.replaceChildren(...model.sites.filter(([name]) => name.toLowerCase().includes(find.value.toLowerCase())).map(box))}))
    return [model.sites.length > 8 && find, list, h('div', {class: 'row'}, button('All sites', () => { narrow({sites: []}); close() }))]
  }
  function days(close) {
    const field = (name, label) => h('label', {class: 'field'}, h('small', {}, label),
      keepKeys(h('input', {type: 'date', min: model.first, max: model.last, value: model.filter[name] || (name === 'since' ? model.first : model.last),
        onchange: event => set(name, event.target.value)})))
    const set = (name, value) => {
      const now = {since: model.filter.since, until: model.filter.until, [name]: value}
      if (now.since === model.first) now.since = ''
      if (now.until === model.last) now.until = ''
      if (now.since && now.until && now.since > now.until) now[name === 'since' ? 'until' : 'since'] = value
      narrow(now)
    }
    return [field('since', 'from'), field('until', 'until, included'),
      h('div', {class: 'row'}, button('All days', () => { narrow({since: '', until: ''}); close() }))]
  }
  const SPANS = [['All day', 0, 24], ['Dawn', 4, 8], ['Day', 8, 17], ['Dusk', 17, 21], ['Night', 21, 4]]
  function hours(close) {
    const slider = (name, label) => {
      const says = h('output', {}, clock(model.filter[name]))
      return h('label', {class: 'field'}, h('small', {}, label, ' ', says), keepKeys(h('input', {type: 'range', min: 0, max: 24, step: 0.5,
        value: model.filter[name], oninput: event => { says.textContent = clock(Number(event.target.value)) },
        onchange: event => narrow({[name]: Number(event.target.value)})})))
    }
    return [h('div', {class: 'row wrap'}, SPANS.map(([text, from_h, to_h]) => button(text, () => { narrow({from_h, to_h}); close() },
      {'aria-pressed': String(model.filter.from_h === from_h && model.filter.to_h === to_h)}))),
      slider('from_h', 'from'), slider('to_h', 'to'), h('small', {}, 'Local time of the recorder. A span may go over midnight.')]
  }
  const clock = x => `${String(Math.floor(x)).padStart(2, '0')}:${x % 1 ? '30' : '00'}`
  function scores(close) {
    if (!model.target) return [h('p', {class: 'quiet'}, 'Scores are of a class: choose or make one first.')]
    const slider = (name, label) => {
      const says = h('output', {}, score(model.filter[name]))
      return h('label', {class: 'field'}, h('small', {}, label, ' ', says), keepKeys(h('input', {type: 'range', min: 0, max: 1, step: 0.01,
        value: model.filter[name], oninput: event => { says.textContent = score(Number(event.target.value)) },
        onchange: event => {
          const x = Number(event.target.value)
          narrow(name === 'low' ? {low: x, high: Math.max(x, model.filter.high)} : {high: x, low: Math.min(x, model.filter.low)})
        }})))
    }
    return [h('small', {}, `Score of ${model.target}`), slider('low', 'at least'), slider('high', 'at most'),
      h('div', {class: 'row'}, button('All scores', () => { narrow({low: 0, high: 1}); close() }))]
  }
  const STATES = {any: 'any', labelled: 'with a label', unlabelled: 'without a label', yes: 'yes', no: 'no', unsure: 'unsure'}
  function labels(close) {
    return [h('div', {class: 'choices'}, model.states.map(state => h('label', {class: 'choice'}, h('input', {type: 'radio', name: 'labels', value: state,
      checked: model.filter.labels === state, onchange: () => { narrow({labels: state}); close() }}), h('span', {}, STATES[state] ?? state))))]
  }

  const CHIPS = [
    {names: ['sites'], any: 'all sites', panel: sites, there: () => model.sites.length > 1},
    {names: ['since', 'until'], any: 'all days', panel: days, there: () => model.first && model.first !== model.last},
    {names: ['from_h', 'to_h'], any: 'all hours', panel: hours, there: () => model.first},
    {names: ['low', 'high'], any: 'all scores', panel: scores, there: () => true},
    {names: ['labels'], any: 'any label', panel: labels, there: () => true},
    {names: ['recording'], any: null, panel: null, there: () => Boolean(model.filter.recording)},
  ]
  const NOTHING = {sites: [], since: '', until: '', from_h: 0, to_h: 24, low: 0, high: 1, labels: 'any', recording: ''}
  let open = null

  function draw() {
    const had = root.getRootNode().activeElement?.dataset?.chip
    chips.replaceChildren(...CHIPS.filter(c => c.there()).map(c => {
      const set = c.names.find(name => model.words[name])
      const off = () => narrow(Object.fromEntries(c.names.map(name => [name, NOTHING[name]])))
      const chip = h('button', {class: set ? 'chip set' : 'chip', 'data-chip': c.names[0], 'aria-haspopup': c.panel ? 'dialog' : null,
        'aria-expanded': c.panel ? 'false' : null, onclick: () => c.panel && show(chip, c)}, set ? model.words[set] : c.any, c.panel && icon('down', 11))
      return h('span', {class: 'slot'}, chip, set && h('button', {class: 'bare off', 'aria-label': `Stop filtering by ${c.any ? c.any.replace(/^(all|any) /, '') : 'recording'}`, onclick: off}, icon('close', 10)))
    }))
    if (had) chips.querySelector(`[data-chip="${had}"]`)?.focus({preventScroll: true})
    const narrowed = Object.keys(model.words).length > 0
    left.replaceChildren(narrowed ? h('b', {}, count(model.kept)) : count(model.total), narrowed ? ` of ${many(model.total, 'window')} ` : ' windows',
      narrowed ? h('button', {class: 'link', onclick: () => send('widen')}, 'show all') : '')
  }
  function show(chip, c) {
    const again = open?.chip === chip.dataset.chip
    open?.close()
    if (again) return
    const panel = h('div', {class: 'panel menu', role: 'dialog', 'aria-label': c.any.replace(/^(all|any) /, '')})
    const close = () => {
      panel.remove(); open = null
      document.removeEventListener('pointerdown', away, true)
      chips.querySelector(`[data-chip="${c.names[0]}"]`)?.setAttribute('aria-expanded', 'false')
    }
    const away = event => { const path = event.composedPath(); if (!path.includes(panel) && !path.includes(root)) close() }
    panel.append(...c.panel(close).filter(Boolean))
    panel.addEventListener('keydown', event => {
      if (event.key === 'Escape') { close(); chips.querySelector(`[data-chip="${c.names[0]}"]`)?.focus(); event.stopPropagation() }
    })
    document.addEventListener('pointerdown', away, true)
    root.append(panel)
    panel.style.left = `${Math.max(8, Math.min(chip.getBoundingClientRect().left - root.getBoundingClientRect().left, root.clientWidth - 276))}px`
    chip.setAttribute('aria-expanded', 'true')
    panel.querySelector('input, button')?.focus({preventScroll: true})
    open = {chip: chip.dataset.chip, close}
  }
  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw() }) } }
  model.on(['filter', 'words', 'kept', 'total', 'target'], soon)
  draw()
  return root
}

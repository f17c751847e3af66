// Right: what it sounds like. A card is a judgement: see it, hear it, say yes, no or unsure.

const TABS = {sample: 'Sample', ranked: 'Ranked', selection: 'Selection', similar: 'Similar', borderline: 'Next to label', study: 'Study',
  unsure: 'Unsure', labelled: 'Labelled'}
const KEYS = [['j', 'k', 'next, previous'], ['space', 'play or stop'], ['y', 'n', 'u', 'yes, no, unsure'],
  ['z', 'undo'], ['m', 'more like this'], ['w', 'why this score?'], ['[', ']', 'previous, next page'], ['t', 'cards or table'], ['?', 'these keys']]

export function render({model, view, el}) {
  const send = sender(model, view)
  const title = h('div', {class: 'title'})
  const tools = h('div', {class: 'tools'})
  const tabs = h('div', {class: 'tabs', role: 'tablist'})
  const page = h('div', {class: 'page', tabindex: -1})
  const paging = h('div', {class: 'paging'})
  const hints = h('div', {class: 'hints', 'aria-hidden': 'true'})
  const audio = h('audio', {preload: 'auto'})
  const help = h('div', {class: 'help', role: 'dialog', 'aria-label': 'Keys', hidden: true})
  const why = h('div', {class: 'why', role: 'dialog', 'aria-label': 'Why', hidden: true})
  const root = h('section', {class: 'card panel', 'aria-label': 'Sounds'},
    h('header', {}, title, tools), tabs, page, why, h('footer', {}, hints, paging), help, audio)

  const pictures = new Map(), asked = new Set(), sounds = new Map(), nodes = new Map(), proofs = new Map()
  let view_drawn = ''
  let focus = null, playing = null, wish = null, tick = 0

  // --- pictures ----------------------------------------------------------------------------
  const key = () => `${model.preset}/${model.theme}`
  function show_picture(row) {
    const picture = pictures.get(`${row} ${key()}`)
    for (const node of [nodes.get(row), proofs.get(row)]) if (node) frame_picture(node, picture)
  }
  function frame_picture(node, picture) {
    const frame = node.querySelector('.spectrogram')
    frame.classList.toggle('waiting', !picture)
    if (!picture) return
    if (picture.error) {
      frame.replaceChildren(h('p', {class: 'cause'}, picture.error), head())
      return
    }
    const last = picture.ticks.length - 1
    const axis = picture.ticks.map(([text, share], i) => h('span', {class: 'hz', style: {bottom: `${share * 100}%`}},
      i === last ? `${text} ${picture.unit}` : text))
    const seconds = [h('span', {class: 's end'}, `${Number(picture.seconds.toFixed(2))} s`)]
    frame.replaceChildren(h('img', {src: picture.src, alt: `spectrogram, ${picture.seconds.toFixed(1)} seconds`, draggable: 'false'}),
      ...axis, ...seconds, head())
  }
  const head = () => h('div', {class: 'playhead'})
  function ask_pictures() {
    const rows = [...new Set([...proofs.keys(), ...model.cards.map(c => c.row)])].filter(row => !pictures.has(`${row} ${key()}`))
    if (rows.length) send('pictures', {rows, preset: model.preset, theme: model.theme})
  }

  // --- sound -------------------------------------------------------------------------------
  function play(row) {
    if (playing === row && !audio.paused) { stop(); return }
    stop()
    wish = row
    if (!sounds.has(row)) { nodes.get(row)?.classList.add('loading'); send('sound', {row}); return }
    audio.src = sounds.get(row)
    playing = row
    audio.play().catch(() => {})
    mark_playing(true)
  }
  function stop() {
    wish = null
    if (playing === null) return
    audio.pause()
    mark_playing(false)
    playing = null
  }
  function mark_playing(on) {
    const node = proofs.get(playing) ?? nodes.get(playing)
    cancelAnimationFrame(tick)
    if (!node) return
    node.classList.toggle('playing', on)
    const button = node.querySelector('.play')
    button?.replaceChildren(icon(on ? 'stop' : 'play'))
    button?.setAttribute('aria-label', on ? 'Stop' : 'Play')
    const follow = () => {
      const line = node.querySelector('.playhead')
      if (line && audio.duration) line.style.left = `${audio.currentTime / audio.duration * 100}%`
      tick = requestAnimationFrame(follow)
    }
    if (on) follow()
  }
  audio.addEventListener('ended', stop)
  function keep_sound(row, data) {
    sounds.set(row, URL.createObjectURL(new Blob([bytesFrom(data)], {type: 'audio/wav'})))
    if (sounds.size > 80) {
      const [oldest, url] = sounds.entries().next().value
      URL.revokeObjectURL(url); sounds.delete(oldest)
    }
    nodes.get(row)?.classList.remove('loading')
    if (wish === row) play(row)
  }

  // --- focus and judgement -----------------------------------------------------------------
  let telling = 0
  function set_focus(row, {tell = true, scroll = true} = {}) {
    focus = row
    for (const [r, node] of nodes) {
      node.classList.toggle('focus', r === row)
      node.tabIndex = r === row ? 0 : -1
    }
    if (row === null) return
    if (!why.hidden && row !== why_of) ask_why(row)
    if (scroll) nodes.get(row)?.scrollIntoView({block: 'nearest'})
    if (tell) { clearTimeout(telling); telling = setTimeout(() => send('focus', {row}), 60) }
  }
  function move(step) {
    const rows = model.cards.map(c => c.row)
    const at = rows.indexOf(focus)
    const to = at + step
    if (at < 0) set_focus(rows[0] ?? null)
    else if (to >= 0 && to < rows.length) set_focus(rows[to])
    else if (to >= rows.length && model.first + rows.length < model.total) turn(model.first + rows.length, 'first')
    else if (to < 0 && model.first > 0) turn(model.first - rows.length, 'last')
  }
  let land = null
  function turn(first, where = 'first') { land = where; stop(); send('page', {first: Math.max(0, first)}) }
  function judge(row, judgement, by_key) {
    if (!model.target) { send('judge', {row, judgement}); return }
    const card = model.cards.find(c => c.row === row)
    if (!card) return
    const same = card.judgement === judgement
    mark(nodes.get(row), same ? null : judgement)
    // By key, go on to the next card that has no judgement; the order may change under it.
    if (by_key && !same) {
      const rest = model.cards.slice(model.cards.indexOf(card) + 1).find(c => !c.judgement)
      if (rest) set_focus(rest.row, {tell: true})
    }
    send('judge', {row, judgement})
  }
  function mark(node, judgement) {
    node?.querySelectorAll('.judge').forEach(button =>
      button.setAttribute('aria-pressed', String(button.dataset.says === judgement)))
  }

  // --- why: the labels that speak for and against the sound in focus ------------------------------
  let why_of = null
  function ask_why(row) {
    if (!model.target || model.place === 'study') { close_why(); return }
    why_of = row
    send('why', {row})
  }
  function close_why() { why.hidden = true; why_of = null; proofs.clear() }
  const weighed = x => x < 0.01 ? Number(x.toPrecision(1)).toString().replace(/^0/, '') : score(x)
  // Never over the card that it speaks of.
  function place_why() {
    const card = nodes.get(why_of)?.getBoundingClientRect(), room = page.getBoundingClientRect()
    why.classList.toggle('up', Boolean(card) && card.top > room.top + room.height / 2)
  }
  function show_why(message) {
    if (message.row !== why_of) return
    proofs.clear()
    const most = Math.max(1e-9, ...message.proofs.map(p => Math.abs(p.weight ?? 0)))
    for (const p of message.proofs) {
      const against = p.weight !== null && p.weight < 0
      proofs.set(p.row, h('button', {class: against ? 'proof against' : 'proof', title: full(p), onclick: () => play(p.row),
        'aria-label': `${against ? 'against' : 'for'}: ${where(p)} ${p.time || p.at}`},
        h('div', {class: 'spectrogram waiting'}, head()),
        h('span', {class: 'line'}, h('b', {}, where(p))), h('span', {class: 'line quiet'}, h('span', {}, p.label)),
        h('span', {class: 'line'}, h('span', {class: 'quiet'}, p.time ? p.time.slice(0, 5) : p.at),
          h('span', {class: 'weight'}, p.weight === null ? '' : `${against ? '−' : '+'}${weighed(Math.abs(p.weight))}`)),
        h('div', {class: 'meter'}, h('i', {style: {width: `${Math.abs(p.weight ?? most) / most * 100}%`}}))))
    }
    why.replaceChildren(h('header', {}, h('h2', {}, 'Why?'), h('small', {}, message.sentence),
      h('button', {class: 'bare', 'aria-label': 'Close', title: 'Close (w)', onclick: close_why}, icon('close', 12))),
      h('div', {class: 'proofs'}, [...proofs.values()]))
    why.hidden = false
    place_why()
    for (const row of proofs.keys()) show_picture(row)
    ask_pictures()
  }

  // --- cards and rows ----------------------------------------------------------------------
  const where = c => c.site || c.recording.split('/').pop()
  const full = c => [c.recording, `at ${c.at}`, c.iso].filter(Boolean).join('\n')
  const judge_button = (c, says, name, sign_name) => h('button', {class: `judge ${name}`, 'data-says': says,
    'aria-label': name, title: model.refusals.annotator || name, disabled: Boolean(model.refusals.annotator), 'aria-pressed': String(c.judgement === says),
    onclick: event => { event.stopPropagation(); set_focus(c.row, {scroll: false}); judge(c.row, says, false) }}, icon(sign_name, 13))
  const judges = c => [judge_button(c, 'positive', 'yes', 'yes'), judge_button(c, 'negative', 'no', 'no'),
    judge_button(c, 'unsure', 'unsure', 'unsure')]
  const play_button = c => h('button', {class: 'play', 'aria-label': 'Play',
    onclick: event => { event.stopPropagation(); set_focus(c.row, {scroll: false}); play(c.row) }}, icon('play'))
  const like_button = c => h('button', {class: 'like', 'aria-label': 'More like this', title: 'more like this (m)',
    onclick: event => { event.stopPropagation(); send('like', {row: c.row}) }}, icon('like', 13))

  const why_button = c => h('button', {class: 'like ask', 'aria-label': 'Why this score?', title: 'why this score? (w)',
    onclick: event => { event.stopPropagation(); set_focus(c.row, {scroll: false}); ask_why(c.row) }}, 'why?')

  function card(c) {
    const node = h('article', {class: 'sound', 'data-row': c.row, tabindex: -1,
      onclick: () => set_focus(c.row, {scroll: false}), ondblclick: () => play(c.row)},
      h('div', {class: 'spectrogram waiting', onclick: () => { set_focus(c.row, {scroll: false}); play(c.row) }}, head()),
      why_button(c), like_button(c), h('div', {class: 'words'}), h('div', {class: 'reason'}), h('div', {class: 'meter'}, h('i')),
      h('div', {class: 'buttons'}, judges(c), play_button(c)))
    return node
  }
  function fill(node, c) {
    node.setAttribute('aria-label', [where(c), c.time, c.score === null ? '' : `score ${score(c.score)}`].join(' '))
    const words = node.querySelector('.words')
    words.title = full(c)
    words.replaceChildren(h('b', {}, where(c)), h('span', {class: 'quiet time'}, c.time ? c.time.slice(0, 5) : c.at),
      c.score === null ? '' : h('span', {class: 'score'}, tiny(c.score)))
    const reason = node.querySelector('.reason')
    reason.textContent = c.reason
    reason.hidden = !c.reason
    node.querySelector('.ask').hidden = !model.target || c.score === null
    const meter = node.querySelector('.meter')
    meter.classList.toggle('none', c.score === null)
    meter.firstChild.style.width = `${Math.max(0, Math.min(1, c.score ?? 0)) * 100}%`
    mark(node, c.judgement)
  }
  function table_row(c) {
    const node = h('tr', {'data-row': c.row, class: 'sound', tabindex: -1, onclick: () => set_focus(c.row, {scroll: false}),
      ondblclick: () => play(c.row)},
      h('td', {class: 'n'}, count(c.n)), h('td', {}, play_button(c)),
      h('td', {class: 'num'}, c.score === null ? '' : tiny(c.score)),
      h('td', {}, c.site), h('td', {class: 'num'}, [c.day, c.time].filter(Boolean).join(' ')),
      h('td', {class: 'rec', title: full(c)}, h('span', {}, c.reason || c.recording)), h('td', {class: 'num'}, c.at),
      h('td', {class: 'acts'}, judges(c)))
    return node
  }

  // --- drawing -----------------------------------------------------------------------------
  function draw_title() {
    const t = model.target
    const named = t ? [sign(t.shape, t.style, 14), h('b', {}, t.name)] : []
    const words = {
      sample: ['A sample from all over the map'],
      ranked: ['Most like', ...named],
      selection: [h('b', {}, many(model.total, 'sound')), 'selected'],
      similar: ['Most like', h('b', {}, model.like)],
      borderline: ['Next to label for', ...named],
      study: ['Do you hear', ...named],
      unsure: ['Unsure about', ...named],
      labelled: ['Labels of', ...named],
    }[model.place] ?? []
    title.replaceChildren(...words.map(w => typeof w === 'string' ? h('span', {}, w) : w))
    root.style.setProperty('--mine', t ? `var(--class-${t.style % 8})` : 'var(--accent)')
    const preset = h('button', {class: 'bare', 'aria-haspopup': 'menu', title: 'Spectrogram settings', onclick: () => menu(preset,
      model.presets.map(p => ({label: p.value, note: p.note, value: p.value, chosen: p.value === model.preset})),
      value => send('preset', {preset: value}))}, model.preset, icon('down', 12))
    const table = model.look === 'table'
    tools.replaceChildren(preset, h('button', {class: 'bare look', title: table ? 'Cards (t)' : 'Table (t)',
      'aria-label': table ? 'Show cards' : 'Show table', onclick: () => send('look', {look: table ? 'cards' : 'table'})},
      icon(table ? 'grid' : 'table', 15)))
    tabs.replaceChildren(...model.places.map(p => h('button', {role: 'tab', 'aria-selected': String(p.key === model.place),
      'data-place': p.key, onclick: () => send('place', {place: p.key})}, TABS[p.key], p.number ? h('small', {}, count(p.number)) : null)))
  }

  const TEACH = {
    selection: ['Nothing is selected', 'Draw around some points on the map, or click one. Their sounds appear here.'],
    ranked: ['No ranking yet', 'Make a class from a few sounds, and every other window is ranked by how much it is like them.'],
    unsure: ['Nothing unsure', 'Press u on a card that you cannot tell. Come back to it here, or show it to a colleague.'],
    labelled: ['No labels yet', 'Say yes or no to cards. Each of them is a label, kept with your name and the time.'],
    borderline: ['Nothing left to suggest', 'Every window that would teach more has been judged.'],
    study: ['All answered', 'How much there is stands on the left. More answers would not narrow it to less than ±1 %.'],
    similar: ['Nothing searched yet', 'Press m on a card, or drop a sound file on the search field.'],
  }
  function draw() {
    draw_title()
    const table = model.look === 'table'
    const before = new Map([...nodes].map(([row, node]) => [row, node.getBoundingClientRect()]))
    const old = new Map(nodes)
    nodes.clear()
    page.className = table ? 'page table' : 'page'
    if (!model.cards.length) {
      const [headline, text] = TEACH[model.place] ?? ['', '']
      page.replaceChildren(h('div', {class: 'teach'}, h('b', {}, headline), h('p', {}, text)))
    } else if (table) {
      for (const c of model.cards) nodes.set(c.row, table_row(c))
      page.replaceChildren(h('table', {}, h('thead', {}, h('tr', {}, ['', '', 'score', 'site', 'time', model.place === 'borderline' ? 'why' : 'recording', 'at', ''].map((t, i) => h('th', {class: i === 5 ? 'rec' : null}, t)))),
        h('tbody', {}, [...nodes.values()])))
    } else {
      for (const c of model.cards) {
        const kept = old.get(c.row)
        const node = kept?.tagName === 'ARTICLE' ? kept : card(c)
        nodes.set(c.row, node)
        fill(node, c)
      }
      page.replaceChildren(...nodes.values())
      for (const c of model.cards) show_picture(c.row)
      slide(before)
    }
    if (!nodes.has(playing) && !proofs.has(playing)) stop(); else if (playing !== null) mark_playing(!audio.paused)
    const rows = model.cards.map(c => c.row)
    const view_now = `${model.place}/${model.target?.name ?? ''}/${model.like}`
    if (view_now !== view_drawn) { view_drawn = view_now; if (nodes.size && focus !== null) land ??= 'first' }
    // Python hears of a focus that follows from the person's own, not of the very first one.
    const was = focus
    if (land) { focus = land === 'first' ? rows[0] : rows.at(-1); land = null }
    if (!rows.includes(focus)) focus = rows[0] ?? null
    set_focus(focus, {scroll: false, tell: was !== null && focus !== null && focus !== was})
    if (!why.hidden && (!model.target || model.place === 'study' || focus === null)) close_why()
    if (!table) ask_pictures()
    draw_paging()
  }
  // Cards slide to their new place, so that one sees what a judgement did to the order.
  function slide(before) {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return
    for (const [row, node] of nodes) {
      const from = before.get(row)
      if (!from || !from.width) { node.animate([{opacity: 0}, {opacity: 1}], {duration: 180}); continue }
      const to = node.getBoundingClientRect()
      const x = from.left - to.left, y = from.top - to.top
      if (x || y) node.animate([{transform: `translate(${x}px, ${y}px)`}, {transform: 'none'}], {duration: 240, easing: 'ease-out'})
    }
  }
  function draw_paging() {
    const shown = model.cards.length
    const range = shown ? `${count(model.first + 1)}–${count(model.first + shown)}` : '0'
    const of = model.place === 'ranked' && model.above !== null
      ? ` · ${count(model.above)} unjudged ≥ ${score(model.threshold)}` : ` of ${count(model.total)}`
    paging.replaceChildren(
      h('button', {class: 'bare', 'aria-label': 'Previous page', disabled: model.first === 0, onclick: () => turn(model.first - shown)}, icon('left')),
      h('span', {class: 'range', title: `${many(model.total, 'window')} in all`}, range + of),
      h('button', {class: 'bare', 'aria-label': 'Next page', disabled: model.first + shown >= model.total, onclick: () => turn(model.first + shown)}, icon('right')))
    hints.replaceChildren(...[['j', 'k', 'move'], ['space', 'play'], ['y', 'n', 'u', 'judge'], ['z', 'undo']].map(k =>
      h('span', {}, ...k.slice(0, -1).map(x => h('kbd', {}, x)), k.at(-1))),
      h('button', {class: 'link', onclick: () => show_help(), tabindex: -1}, h('kbd', {}, '?'), 'keys'))
  }
  function show_help(on = help.hidden) {
    help.hidden = !on
    if (on) help.replaceChildren(h('h2', {}, 'Keys'), h('dl', {}, KEYS.map(k => [h('dt', {}, k.slice(0, -1).map(x => h('kbd', {}, x))), h('dd', {}, k.at(-1))])),
      h('button', {onclick: () => show_help(false)}, 'Close'))
  }

  // --- room: as many cards as fit, so that a page never scrolls ----------------------------------
  let fits = 0
  function measure() {
    const width = page.clientWidth, height = page.clientHeight
    if (!width || !height) return
    let n
    if (model.look === 'table') n = Math.floor((height - 30) / 33)
    else {
      const columns = Math.max(1, Math.floor((width - 28 + 10) / (128 + 10)))
      const wide = (width - 28 - (columns - 1) * 10) / columns
      const tall = wide * 0.68 + 72
      n = columns * Math.max(1, Math.floor((height - 14 + 10) / (tall + 10)))
      page.style.setProperty('--columns', columns)
      page.style.setProperty('--rows', n / columns)
      page.style.setProperty('--tallest', `${Math.round(wide * 1.02 + 72)}px`)
    }
    n = Math.max(1, Math.min(60, n))
    if (n !== fits) { fits = n; send('per_page', {count: n}) }
  }

  // --- keys --------------------------------------------------------------------------------
  function on_key(event) {
    const target = event.composedPath()[0]
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (target instanceof HTMLElement && (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable)) return
    const on_button = target instanceof HTMLElement && target.tagName === 'BUTTON'
    const act = {
      j: () => move(1), ArrowDown: () => move(1), ArrowRight: () => move(1),
      k: () => move(-1), ArrowUp: () => move(-1), ArrowLeft: () => move(-1),
      ' ': on_button ? null : () => focus !== null && play(focus),
      y: () => focus !== null && judge(focus, 'positive', true),
      n: () => focus !== null && judge(focus, 'negative', true),
      u: () => focus !== null && judge(focus, 'unsure', true),
      z: () => send('undo'),
      m: () => focus !== null && send('like', {row: focus}),
      w: () => why.hidden ? focus !== null && ask_why(focus) : close_why(),
      t: () => send('look', {look: model.look === 'table' ? 'cards' : 'table'}),
      '[': () => model.first > 0 && turn(model.first - model.cards.length),
      ']': () => model.first + model.cards.length < model.total && turn(model.first + model.cards.length),
      '?': () => show_help(), Escape: !help.hidden ? () => show_help(false) : why.hidden ? null : close_why,
    }[event.key]
    if (!act) return
    event.preventDefault(); event.stopPropagation()
    act()
  }
  // On a page of its own the keys work everywhere; in a notebook only within this app, because the
  // notebook has keys of its own (and must not hear ours).
  let listens = null
  function listen() {
    if (listens) return
    let top = el
    while (top.getRootNode() instanceof ShadowRoot) top = top.getRootNode().host
    listens = model.whole_page ? document : top
    if (!model.whole_page) { top.setAttribute('data-lm-suppress-shortcuts', 'true'); top.tabIndex = -1 }
    listens.addEventListener('keydown', on_key)
  }
  model.on('remove', () => { listens?.removeEventListener('keydown', on_key); stop(); for (const url of sounds.values()) URL.revokeObjectURL(url) })

  model.on('msg:custom', message => {
    if (message.kind === 'why') show_why(message)
    if (message.kind === 'sound') keep_sound(message.row, message.data)
    if (message.kind === 'picture') {
      pictures.set(`${message.row} ${message.key}`, message)
      if (pictures.size > 600) pictures.delete(pictures.keys().next().value)
      show_picture(message.row)
    }
  })
  let queued = false
  const soon = () => { if (!queued) { queued = true; requestAnimationFrame(() => { queued = false; draw() }) } }
  model.on(['cards', 'first', 'total', 'above', 'threshold', 'places', 'place', 'target', 'like', 'preset', 'theme'], soon)
  model.on('look', () => { soon(); requestAnimationFrame(measure) })
  new ResizeObserver(() => { listen(); measure() }).observe(page)
  draw()
  return root
}

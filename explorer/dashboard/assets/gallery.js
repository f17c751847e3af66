// Right: what it sounds like. A card is a judgement: see it, hear it, say yes, no or unsure.

export function render({model, view, el}) {
  const send = sender(model, view)
  const title = h('div', {class: 'title'})
  const tools = h('div', {class: 'tools'})
  const tabs = h('div', {class: 'tabs', role: 'tablist', 'aria-label': 'Which sounds'})
  const page = h('div', {class: 'page', tabindex: -1})
  const paging = h('div', {class: 'paging'})
  const hints = h('div', {class: 'hints'})
  const told = h('div', {class: 'unseen', role: 'status', 'aria-live': 'polite'})
  const help = h('div', {class: 'over help', role: 'dialog', 'aria-label': 'Keys', hidden: true})
  const why = h('div', {class: 'over why', role: 'dialog', 'aria-label': 'Why', hidden: true})
  const how = h('div', {class: 'over how', role: 'dialog', 'aria-label': 'How to draw and play', hidden: true})
  const shelf = pictureShelf(model, send)
  const nodes = new Map(), marked = new Set()
  let proofs = new Map(), view_drawn = '', focus = null

  const nodeOf = name => { const row = Number(String(name).split(' ')[0]); return proofs.get(row) ?? nodes.get(row) }
  const player = makePlayer((name, is) => { const node = nodeOf(name); if (node) showPlaying(node, is) },
    (name, share) => { const line = nodeOf(name)?.querySelector('.playhead'); if (line) line.style.left = `${share * 100}%` })
  const root = h('section', {class: 'card panel', 'aria-label': 'Sounds'},
    h('header', {}, title, tools), tabs, page, why, how, h('footer', {}, hints, paging), help, told, player.audio)
  const settings = listeningPanel(model, send)
  const remember = rememberListening(model, send)

  // --- pictures and sound --------------------------------------------------------------------
  function show_picture(row) {
    for (const node of [nodes.get(row), proofs.get(row)]) if (node) {
      const frame = node.querySelector('.spectrogram')
      if (frame) fillFrame(frame, shelf.get(row))
    }
  }
  const ask_pictures = () => shelf.ask([...proofs.keys(), ...(model.look === 'table' ? [] : model.cards.map(c => c.row))])
  const sound_name = row => `${row} ${heardAs(model.key)}`
  const play = row => player.play(sound_name(row), () => send('sound', {row}))

  // --- focus and judgement ------------------------------------------------------------------
  let telling = 0
  function set_focus(row, {tell = true, scroll = true, take = false} = {}) {
    focus = row
    for (const [r, node] of nodes) {
      node.classList.toggle('focus', r === row)
      node.tabIndex = r === row ? 0 : -1
    }
    if (row === null) return
    if (!why.hidden && row !== why_of) ask_why(row)
    if (scroll) nodes.get(row)?.scrollIntoView({block: 'nearest'})
    if (take) nodes.get(row)?.focus({preventScroll: true})
    if (tell) { clearTimeout(telling); telling = setTimeout(() => send('focus', {row}), 60) }
  }
  function move(step) {
    const rows = model.cards.map(c => c.row)
    const at = rows.indexOf(focus)
    const to = at + step
    if (at < 0) set_focus(rows[0] ?? null)
    else if (to >= 0 && to < rows.length) set_focus(rows[to], {take: true})
    else if (to >= rows.length && model.first + rows.length < model.total) turn(model.first + rows.length, 'first')
    else if (to < 0 && model.first > 0) turn(model.first - rows.length, 'last')
  }
  let land = null
  function turn(first, where = 'first') { land = where; player.stop(); unmark(); send('page', {first: Math.max(0, first)}) }
  function judge(row, judgement, by_key) {
    const rows = marked.size ? model.cards.map(c => c.row).filter(r => marked.has(r)) : [row]
    if (model.refusals.annotator || !model.target) { send('judge', {rows, judgement}); if (model.refusals.annotator) say(model.refusals.annotator); return }
    const cards = model.cards.filter(c => rows.includes(c.row))
    if (!cards.length) return
    const back = cards.every(c => c.mine && c.judgement === judgement)
    for (const c of cards) show_judgement(nodes.get(c.row), back ? null : judgement)
    const done = new Set([...model.cards.filter(c => c.judgement).map(c => c.row), ...rows])
    if (back) for (const r of rows) done.delete(r)
    say(`${back ? 'taken back' : SAID[judgement]}${rows.length > 1 ? ` to ${many(rows.length, 'sound')}` : ''}, ${done.size} of ${model.cards.length}`)
    // By key, go on to the next card that has no judgement; the order may change under it.
    if (by_key && !back) {
      const last = model.cards.findLastIndex(c => rows.includes(c.row))
      const rest = model.cards.slice(last + 1).find(c => !c.judgement)
      if (rest) set_focus(rest.row, {tell: true, take: true})
    }
    unmark()
    send('judge', {rows, judgement})
  }
  function show_judgement(node, judgement) {
    if (!node) return
    node.querySelectorAll('.judge').forEach(button => button.setAttribute('aria-pressed', String(button.dataset.says === judgement)))
    node.classList.toggle('judged', Boolean(judgement))
    const chip = node.querySelector('.chip')
    if (!chip) return
    chip.className = `chip ${SAID[judgement] ?? ''}`
    chip.replaceChildren(...judgement ? [icon({positive: 'yes', negative: 'no', unsure: 'unsure'}[judgement], 10), SAID[judgement]] : [])
  }
  function say(text) { told.textContent = ''; requestAnimationFrame(() => { told.textContent = text }) }

  // --- marks: several cards that are judged at once ---------------------------------------------
  function mark(row, on = !marked.has(row)) {
    on ? marked.add(row) : marked.delete(row)
    show_marks()
  }
  function mark_to(row) {
    const rows = model.cards.map(c => c.row)
    const [from, to] = [rows.indexOf(focus), rows.indexOf(row)].sort((a, b) => a - b)
    for (const r of rows.slice(Math.max(0, from), to + 1)) marked.add(r)
    show_marks()
  }
  function mark_all() {
    const rows = model.cards.map(c => c.row)
    const all = rows.every(r => marked.has(r))
    marked.clear()
    if (!all) for (const r of rows) marked.add(r)
    show_marks()
  }
  function unmark() { if (marked.size) { marked.clear(); show_marks() } }
  function show_marks() {
    for (const [row, node] of nodes) {
      node.classList.toggle('marked', marked.has(row))
      node.querySelector('.mark')?.setAttribute('aria-pressed', String(marked.has(row)))
    }
    root.classList.toggle('marking', marked.size > 0)
    draw_hints()
    if (marked.size) say(`${marked.size} marked`)
  }

  // --- why: the labels that speak for and against the sound in focus ------------------------------
  let why_of = null
  function ask_why(row) {
    if (!model.target || model.place === 'study') { close_why(); return }
    why_of = row
    send('why', {row})
  }
  function close_why() { why.hidden = true; why_of = null; proofs = new Map() }
  // Never over the card that it speaks of.
  function place_why() {
    const card = nodes.get(why_of)?.getBoundingClientRect(), room = page.getBoundingClientRect()
    why.classList.toggle('up', Boolean(card) && card.top > room.top + room.height / 2)
  }
  function show_why(message) {
    if (message.row !== why_of) return
    proofs = proofNodes(message, play)
    const c = model.cards.find(other => other.row === why_of)
    why.replaceChildren(h('header', {}, h('h2', {}, 'Why?'),
      h('small', {}, whyWords(model.target, c?.score, model.threshold), message.sentence),
      h('button', {class: 'bare', 'aria-label': 'Closer look', title: 'Closer look (Enter)', onclick: () => look_closer(why_of)}, icon('reset', 13)),
      h('button', {class: 'bare', 'aria-label': 'Close', title: 'Close (w)', onclick: close_why}, icon('close', 12))),
      h('div', {class: 'proofs'}, [...proofs.values()]),
      proofs.size ? h('p', {class: 'quiet'}, h('kbd', {}, '1'), '–', h('kbd', {}, proofs.size), ' play them, ', h('kbd', {}, 'space'), ' the sound itself') : null)
    why.hidden = false
    place_why()
    for (const row of proofs.keys()) show_picture(row)
    ask_pictures()
  }
  const look_closer = row => { player.stop(); send('closer', {row}) }

  // --- cards and rows ----------------------------------------------------------------------
  const judge_button = (c, says, name) => h('button', {class: `judge ${name}`, 'data-says': says,
    'aria-label': name, title: model.refusals.annotator || `${name} (${name[0]})`, disabled: Boolean(model.refusals.annotator), 'aria-pressed': String(c.judgement === says),
    onclick: event => { event.stopPropagation(); set_focus(c.row, {scroll: false}); judge(c.row, says, false) }}, icon(name, 13))
  const judges = c => Object.entries(SAID).map(([says, name]) => judge_button(c, says, name))
  const on_picture = (c, name, label, key, act, ...content) => h('button', {class: `on ${name}`, 'aria-label': label, title: `${label} (${key})`,
    onclick: event => { event.stopPropagation(); if (name !== 'mark') set_focus(c.row, {scroll: false}); act(c.row) }}, content)
  const play_button = c => h('button', {class: 'play', 'aria-label': 'Play',
    onclick: event => { event.stopPropagation(); set_focus(c.row, {scroll: false}); play(c.row) }}, icon('play'))
  function pressed(event, row) {
    if (event.shiftKey) { event.preventDefault(); mark_to(row); return false }
    set_focus(row, {scroll: false})
    return true
  }

  function card(c) {
    return h('article', {class: 'sound', 'data-row': c.row, tabindex: -1,
      onclick: event => pressed(event, c.row), ondblclick: () => look_closer(c.row)},
      h('div', {class: 'seen'},
        h('div', {class: 'spectrogram waiting', onclick: event => { event.stopPropagation(); if (pressed(event, c.row)) play(c.row) }}, playhead()),
        h('div', {class: 'ons'}, h('i'),
        on_picture(c, 'ask', 'Why this score?', 'w', ask_why, 'why?'),
        on_picture(c, 'like', 'More like this', 'm', row => send('like', {row}), icon('like', 13)),
        on_picture(c, 'near', 'Closer look', 'Enter', look_closer, icon('reset', 12)),
          on_picture(c, 'mark', 'Mark', 'x', row => mark(row), icon('yes', 12))),
        h('div', {class: 'chip'})),
      h('div', {class: 'words'}), h('div', {class: 'reason'}), h('div', {class: 'meter'}, h('i')),
      h('div', {class: 'buttons'}, judges(c), play_button(c)))
  }
  function label(c) {
    return [`${c.n} of ${count(model.total)}`, whereOf(c), [c.day, c.time || `at ${c.at}`].filter(Boolean).join(', '),
      c.score === null ? '' : `score ${tiny(c.score)}`, c.judgement ? SAID[c.judgement] : 'not judged', c.reason].filter(Boolean).join('; ')
  }
  function fill(node, c) {
    node.setAttribute('aria-label', label(c))
    const words = node.querySelector('.words')
    words.title = fullOf(c)
    words.replaceChildren(h('b', {}, whereOf(c)), h('span', {class: 'quiet time'}, c.time ? c.time.slice(0, 5) : c.at),
      c.score === null ? '' : h('span', {class: 'score'}, tiny(c.score)))
    const reason = node.querySelector('.reason')
    reason.textContent = c.reason
    reason.hidden = !c.reason
    node.querySelector('.ask').hidden = !model.target || c.score === null || model.place === 'similar'
    const meter = node.querySelector('.meter')
    meter.classList.toggle('none', c.score === null)
    meter.firstChild.style.width = `${Math.max(0, Math.min(1, c.score ?? 0)) * 100}%`
    show_judgement(node, c.judgement)
  }
  function table_row(c) {
    const node = h('tr', {'data-row': c.row, class: 'sound', tabindex: -1, 'aria-label': label(c),
      onclick: event => pressed(event, c.row), ondblclick: () => look_closer(c.row)},
      h('td', {class: 'n'}, count(c.n)), h('td', {}, play_button(c)),
      h('td', {class: 'num'}, c.score === null ? '' : tiny(c.score)),
      h('td', {}, c.site), h('td', {class: 'num'}, [c.day, c.time].filter(Boolean).join(' ')),
      h('td', {class: 'rec', title: fullOf(c)}, h('span', {}, c.reason || c.recording)), h('td', {class: 'num'}, c.at),
      h('td', {class: 'acts'}, judges(c)))
    show_judgement(node, c.judgement)
    return node
  }

  // --- drawing -----------------------------------------------------------------------------
  function draw_title() {
    const t = model.target
    const named = t ? [sign(t.shape, t.style, 14), h('b', {}, t.name)] : []
    const words = {
      given: [h('b', {}, many(model.total, 'sound')), model.like],
      sample: ['A sample from all over the map'],
      ranked: ['Most like', ...named],
      selection: [h('b', {}, many(model.total, 'sound')), 'selected'],
      similar: ['Most like', h('b', {}, model.like)],
      borderline: ['Next to label for', ...named],
      study: ['Do you hear', ...named],
      unsure: ['Unsure about', ...named],
      labelled: ['Labels of', ...named],
    }[model.place] ?? []
    refill(title, ...words.map(w => typeof w === 'string' ? h('span', {}, w) : w))
    root.style.setProperty('--mine', t ? `var(--class-${t.style % 8})` : 'var(--accent)')
    const table = model.look === 'table'
    refill(tools, h('button', {class: 'bare preset', 'aria-haspopup': 'dialog', 'aria-expanded': String(!how.hidden),
      title: 'How sounds are drawn and played (s)', onclick: () => show_how()},
      model.listening.preset + (model.changed ? ' *' : ''), icon('down', 12)),
      h('button', {class: 'bare look', title: table ? 'Cards (t)' : 'Table (t)',
        'aria-label': table ? 'Show cards' : 'Show table', onclick: () => send('look', {look: table ? 'cards' : 'table'})},
      icon(table ? 'grid' : 'table', 15)))
    refill(tabs, ...model.places.map(p => h('button', {role: 'tab', 'aria-selected': String(p.key === model.place),
      'data-place': p.key, onclick: () => send('place', {place: p.key})}, TABS[p.key], p.number ? h('small', {}, count(p.number)) : null)))
  }
  function nothing() {
    if (model.left_out) return h('div', {class: 'teach'}, h('b', {}, 'None of them is among'), h('p', {}, model.left_out),
      h('button', {onclick: () => send('widen')}, 'Look at everything'))
    const [headline, text] = TEACH[model.place] ?? ['', '']
    return h('div', {class: 'teach'}, h('b', {}, headline), h('p', {}, text))
  }
  function draw() {
    draw_title()
    const table = model.look === 'table'
    const active = root.getRootNode().activeElement
    const held = active && page.contains(active) ? active : null
    const before = new Map([...nodes].map(([row, node]) => [row, node.getBoundingClientRect()]))
    const old = new Map(nodes)
    nodes.clear()
    page.className = table ? 'page table' : 'page'
    if (!model.cards.length) page.replaceChildren(nothing())
    else if (table) {
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
      slideCards(nodes, before)
    }
    const sounding = player.playing === null ? null : nodeOf(player.playing)
    if (sounding) showPlaying(sounding, 'playing'); else player.stop()
    const rows = model.cards.map(c => c.row)
    for (const row of [...marked]) if (!rows.includes(row)) marked.delete(row)
    const view_now = `${model.place}/${model.target?.name ?? ''}/${model.like}`
    if (view_now !== view_drawn) { view_drawn = view_now; if (nodes.size && focus !== null) land ??= 'first' }
    // Python hears of a focus that follows from the person's own, not of the very first one.
    const was = focus
    if (land) { focus = land === 'first' ? rows[0] : rows.at(-1); land = null }
    if (!rows.includes(focus)) focus = rows[0] ?? null
    // Whoever was on a card or a button of one stays there, as far as it is still there.
    if (held?.isConnected) held.focus({preventScroll: true})
    set_focus(focus, {scroll: false, tell: was !== null && focus !== null && focus !== was, take: Boolean(held) && !held.isConnected})
    if (!why.hidden && (!model.target || model.place === 'study' || focus === null)) close_why()
    ask_pictures()
    show_marks()
    draw_paging()
  }
  function draw_paging() {
    const shown = model.cards.length
    const range = shown ? `${count(model.first + 1)}–${count(model.first + shown)}` : '0'
    const of = model.place === 'ranked' && model.above !== null
      ? ` · ${count(model.above)} unjudged ≥ ${score(model.threshold)}` : ` of ${count(model.total)}`
    refill(paging, 
      h('button', {class: 'bare', 'aria-label': 'Previous page', title: 'Previous page ([)', disabled: model.first === 0, onclick: () => turn(model.first - shown)}, icon('left')),
      h('span', {class: 'range', title: `${many(model.total, 'window')} in all`}, range + of),
      h('button', {class: 'bare', 'aria-label': 'Next page', title: 'Next page (])', disabled: model.first + shown >= model.total, onclick: () => turn(model.first + shown)}, icon('right')))
  }
  function draw_hints() {
    const keys = (...k) => h('span', {'aria-hidden': 'true'}, ...k.slice(0, -1).map(x => h('kbd', {}, x)), k.at(-1))
    const plain = [keys('j', 'k', 'move'), keys('space', 'play'), keys('y', 'n', 'u', 'judge'), keys('z', 'undo')]
    const marking = [h('b', {}, `${marked.size} marked`), keys('y', 'n', 'u', ''),
      h('button', {class: 'link', onclick: mark_all}, marked.size < model.cards.length ? 'all on the page' : 'none')]
    plain.push(h('button', {class: 'link', 'aria-label': 'Keys', onclick: () => show_help()}, h('kbd', {}, '?'), 'keys'))
    refill(hints, ...marked.size ? marking : plain)
  }
  // Whoever opened a panel from a card is on that card again when it is closed.
  let opener = null
  const opened = () => { opener = root.getRootNode().activeElement }
  function closed() {
    if (opener?.isConnected && root.contains(opener)) opener.focus({preventScroll: true})
    else nodes.get(focus)?.focus({preventScroll: true})
  }
  function show_help(on = help.hidden) {
    if (on) opened()
    help.hidden = !on
    if (!on) { closed(); return }
    help.replaceChildren(h('h2', {}, 'Keys'), h('dl', {}, KEYS.map(k => [h('dt', {}, k.slice(0, -1).map(x => h('kbd', {}, x))), h('dd', {}, k.at(-1))])),
      h('button', {onclick: () => show_help(false)}, 'Close'))
    help.querySelector('button').focus()
  }
  function show_how(on = how.hidden) {
    if (on) opened()
    how.hidden = !on
    if (on) {
      close_why()
      how.replaceChildren(h('header', {}, h('h2', {}, 'How sounds are drawn and played'),
        h('button', {class: 'bare', 'aria-label': 'Close', onclick: () => show_how(false)}, icon('close', 12))), settings.node)
      settings.draw()
      how.querySelector('[aria-checked="true"]')?.focus()
      draw_title()
    } else { draw_title(); closed() }
  }
  how.addEventListener('keydown', event => { if (event.key === 'Escape') { show_how(false); event.stopPropagation() } }, true)

  // --- room: as many cards as fit, so that a page never scrolls ----------------------------------
  let fits = 0
  function measure() {
    const n = fitCards(page, model.look === 'table')
    if (n && n !== fits) { fits = n; send('per_page', {count: n}) }
  }

  // --- keys --------------------------------------------------------------------------------
  function on_key(event) {
    const target = event.composedPath()[0]
    if (event.ctrlKey || event.metaKey || event.altKey || !el.isConnected || !root.getClientRects().length) return
    if (target instanceof HTMLElement && (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable)) return
    const on_button = target instanceof HTMLElement && target.tagName === 'BUTTON'
    const number = Number(event.key)
    const proof = !why.hidden && number > 0 ? [...proofs.keys()][number - 1] : undefined
    const open = [help, how, why].find(panel => !panel.hidden)
    const act = {
      j: () => move(1), ArrowDown: () => move(1), ArrowRight: () => move(1),
      k: () => move(-1), ArrowUp: () => move(-1), ArrowLeft: () => move(-1),
      ' ': on_button ? null : () => focus !== null && play(focus),
      Enter: on_button ? null : () => focus !== null && look_closer(focus),
      y: () => focus !== null && judge(focus, 'positive', true),
      n: () => focus !== null && judge(focus, 'negative', true),
      u: () => focus !== null && judge(focus, 'unsure', true),
      z: () => send('undo'),
      x: () => focus !== null && mark(focus),
      a: mark_all,
      m: () => focus !== null && send('like', {row: focus}),
      w: () => why.hidden ? focus !== null && ask_why(focus) : close_why(),
      s: () => show_how(),
      t: () => send('look', {look: model.look === 'table' ? 'cards' : 'table'}),
      '[': () => model.first > 0 && turn(model.first - model.cards.length),
      ']': () => model.first + model.cards.length < model.total && turn(model.first + model.cards.length),
      '?': () => show_help(),
      Escape: open === help ? () => show_help(false) : open === how ? () => show_how(false) : open ? close_why : marked.size ? unmark : null,
    }[event.key] ?? (proof === undefined ? null : () => play(proof))
    if (!act) return
    event.preventDefault(); event.stopPropagation()
    act()
  }
  const keys = listenToKeys(model, el, on_key)
  model.on('remove', () => { keys.end(); player.end() })

  model.on('msg:custom', message => {
    if (message.kind === 'why') show_why(message)
    if (message.kind === 'sound') player.heard(`${message.row} ${heardAs(message.key)}`, message)
    if (message.kind === 'picture') { shelf.keep(message); show_picture(message.row) }
  })
  let queued = false
  const soon = () => { if (!queued) { queued = true; requestAnimationFrame(() => { queued = false; draw() }) } }
  model.on(['cards', 'first', 'total', 'above', 'threshold', 'places', 'place', 'target', 'like', 'left_out', 'key', 'changed', 'refusals'], soon)
  send.refused = soon
  model.on('listening', () => { player.stop(); settings.draw(); remember(); soon() })
  model.on('look', () => { soon(); requestAnimationFrame(measure) })
  model.on('focused', () => { if (model.focused !== null) requestAnimationFrame(() => requestAnimationFrame(() => set_focus(model.focused, {take: true}))) })
  new ResizeObserver(() => { keys.begin(); measure() }).observe(page)
  draw()
  return root
}

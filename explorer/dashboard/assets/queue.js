// Right: windows to decide. Hear them, see who said what, and say what you hear yourself.

const SAID = {positive: 'yes', negative: 'no', unsure: 'unsure'}

export function render({model, view, el}) {
  const send = sender(model, view)
  const title = h('div', {class: 'title'})
  const tabs = h('div', {class: 'tabs', role: 'tablist', 'aria-label': 'Which windows'})
  const page = h('div', {class: 'page', tabindex: -1})
  const told = h('div', {class: 'unseen', role: 'status', 'aria-live': 'polite'})
  const hints = h('div', {class: 'hints'}, [['j', 'k', 'move'], ['space', 'play'], ['y', 'n', 'u', 'judge'], ['z', 'undo'], ['Enter', 'closer look']].map(k =>
    h('span', {}, k.slice(0, -1).map(x => h('kbd', {}, x)), k.at(-1))))
  const nodes = new Map(), frames = new Map()
  let focus = null
  const name = c => `${c.row} ${c.class}`
  const cardOf = id => model.cards.find(c => name(c) === id)
  const rowOf = sound => Number(String(sound).split(' ')[0])
  const shelf = pictureShelf(model, send)
  // The same window may be there for two classes: its sound belongs to the card that was pressed.
  let pressed = null
  const player = makePlayer((sound, is) => { const node = nodes.get(pressed); if (node) showPlaying(node, is) },
    (sound, share) => { const line = nodes.get(pressed)?.querySelector('.playhead'); if (line) line.style.left = `${share * 100}%` })
  const root = h('section', {class: 'card panel', 'aria-label': 'To decide'}, h('header', {}, title), tabs, page, h('footer', {}, hints), told, player.audio)

  // --- pictures and sound ------------------------------------------------------------------
  const show_picture = row => { for (const c of model.cards) if (c.row === row && nodes.has(name(c))) fillFrame(nodes.get(name(c)).querySelector('.spectrogram'), shelf.get(row)) }
  const ask_pictures = () => shelf.ask(model.cards.map(c => c.row))
  const sound_name = row => `${row} ${heardAs(model.key)}`
  function play(id) {
    const c = cardOf(id)
    if (!c) return
    if (pressed !== id) player.stop()
    pressed = id
    player.play(sound_name(c.row), () => send('sound', {row: c.row}))
  }

  // --- focus and judgement -----------------------------------------------------------------
  function set_focus(id, take = false) {
    focus = id
    for (const [other, node] of nodes) { node.classList.toggle('focus', other === id); node.tabIndex = other === id ? 0 : -1 }
    if (id === null) return
    nodes.get(id)?.scrollIntoView({block: 'nearest'})
    if (take) nodes.get(id)?.focus({preventScroll: true})
  }
  function move(step) {
    const ids = model.cards.map(name), at = ids.indexOf(focus)
    const to = at < 0 ? 0 : Math.max(0, Math.min(ids.length - 1, at + step))
    if (ids.length) set_focus(ids[to], true)
  }
  function judge(id, judgement) {
    const c = cardOf(id)
    if (!c || model.refusals.annotator) { if (c) send('say', {row: c.row, class_: c.class, judgement}); return }
    nodes.get(id)?.querySelectorAll('.judge').forEach(b => b.setAttribute('aria-pressed', String(b.dataset.says === judgement)))
    nodes.get(id)?.classList.add('sent')
    // On to the next; a settled one leaves the list.
    const ids = model.cards.map(name), at = ids.indexOf(id)
    land = at
    told.textContent = `${SAID[judgement]} to ${c.class}`
    send('say', {row: c.row, class_: c.class, judgement})
  }
  let land = null

  // --- cards -------------------------------------------------------------------------------
  const where = c => c.site || c.recording.split('/').pop()
  const voice = ([who, says]) => h('span', {class: `voice ${SAID[says]}`}, icon(SAID[says], 11), h('b', {}, who === model.user ? 'you' : who), h('span', {class: 'unseen'}, SAID[says]))
  function card(c) {
    const id = name(c)
    const button = (says, word) => h('button', {class: `judge ${word}`, 'data-says': says, disabled: Boolean(model.refusals.annotator),
      title: model.refusals.annotator || `${word} (${word[0]})`, 'aria-label': `${word}, this is ${c.class}`, 'aria-pressed': String(c.mine === says),
      onclick: event => { event.stopPropagation(); set_focus(id); judge(id, says) }}, icon(word, 13), word)
    return h('article', {class: 'sound', 'data-row': c.row, tabindex: -1, onclick: () => set_focus(id), ondblclick: () => send('closer', {row: c.row})},
      h('div', {class: 'spectrogram waiting', onclick: event => { event.stopPropagation(); set_focus(id); play(id) }}, playhead()),
      h('div', {class: 'words'}, sign(c.shape, c.style, 13), h('b', {}, c.class), h('span', {class: 'quiet where', title: `${c.recording}\nat ${c.at}\n${c.iso}`},
        [where(c), c.time ? c.time.slice(0, 5) : c.at].filter(Boolean).join(' · '))),
      h('div', {class: 'voices'}, c.said.length ? c.said.map(voice) : h('span', {class: 'quiet'}, 'Do you hear it?')),
      h('div', {class: 'buttons'}, button('positive', 'yes'), button('negative', 'no'), button('unsure', 'unsure'),
        h('button', {class: 'play', 'aria-label': 'Play', onclick: event => { event.stopPropagation(); set_focus(id); play(id) }}, icon('play'))))
  }
  const label = (c, i) => [`${i + 1} of ${count(model.total)}`, c.class, where(c), c.time || `at ${c.at}`, ...c.said.map(([who, says]) => `${who} says ${SAID[says]}`),
    c.mine ? `you say ${SAID[c.mine]}` : 'you have not judged'].join('; ')

  // --- drawing -----------------------------------------------------------------------------
  const TABS = {apart: 'Disagreements', second: 'Second opinion'}
  function draw_title() {
    const whole = model.class_ ? ` about ${model.class_}` : ''
    title.replaceChildren(h('b', {}, model.mode === 'apart' ? 'Where you differ' : 'What others judged and you have not'), h('span', {}, whole + (model.mode === 'second' ? ' · you are asked blind' : '')))
    tabs.replaceChildren(...['apart', 'second'].map((mode, i) => h('button', {role: 'tab', 'aria-selected': String(mode === model.mode), 'data-mode': mode,
      title: mode === 'apart' ? 'Windows of which no more than half say the same' : 'You are asked blind, so that agreement can be measured',
      onclick: () => send('mode', {mode})}, TABS[mode], model.numbers[i] ? h('small', {}, count(model.numbers[i])) : null)))
  }
  function nothing() {
    if (!model.ready) return ['', 'Reading the labels …']
    if (model.alone) return ['Nobody to differ with yet', 'Once a second person has labelled, windows on which you do not agree are listed here, to hear and decide.']
    if (model.mode === 'second') return ['You have judged all that others have', 'What they label from now on appears here.']
    return ['No open disagreement', 'Of each window that several people judged, more than half say the same.' + (model.numbers[1] ? ' Under “Second opinion” you can check more of them.' : '')]
  }
  let drawn = ''
  function draw() {
    draw_title()
    const before = new Map([...nodes].map(([id, node]) => [id, node.getBoundingClientRect()]))
    const held = el.getRootNode().activeElement?.closest?.('article') ?? root.getRootNode().activeElement?.closest?.('article')
    const old = new Map(nodes)
    nodes.clear()
    if (!model.cards.length) {
      const [headline, text] = nothing()
      page.replaceChildren(h('div', {class: 'teach'}, h('b', {}, headline), h('p', {}, text)))
      set_focus(null)
    } else {
      model.cards.forEach((c, i) => {
        const node = card(c)
        if (old.get(name(c))?.classList.contains('playing')) showPlaying(node, 'playing')
        node.setAttribute('aria-label', label(c, i))
        nodes.set(name(c), node)
      })
      page.replaceChildren(...nodes.values(), model.total > model.cards.length ? h('p', {class: 'more quiet'}, `and ${count(model.total - model.cards.length)} more`) : '')
      for (const row of new Set(model.cards.map(c => c.row))) show_picture(row)
      const ids = model.cards.map(name)
      const list = `${model.mode} ${model.class_}`
      // The card one is on stays the one; where it was settled, the next takes its place.
      if (drawn !== list) { set_focus(ids[0]); page.scrollTop = 0 }
      else if (land !== null && !ids.includes(focus)) set_focus(ids[Math.min(land, ids.length - 1)], Boolean(held))
      else if (land !== null) set_focus(ids[Math.min(ids.indexOf(focus) + 1, ids.length - 1)], Boolean(held))
      else set_focus(ids.includes(focus) ? focus : ids[0], Boolean(held))
      drawn = list
    }
    land = null
    if (pressed && !nodes.has(pressed)) { player.stop(); pressed = null }
    slideCards(nodes, before)
    ask_pictures()
  }

  const keys = listenToKeys(model, el, event => {
    const target = event.composedPath()[0]
    if (event.ctrlKey || event.metaKey || event.altKey || !root.checkVisibility()) return
    if (target instanceof HTMLElement && (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable)) return
    const on_button = target instanceof HTMLElement && target.tagName === 'BUTTON'
    const act = {
      j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowRight: () => move(1), ArrowUp: () => move(-1), ArrowLeft: () => move(-1),
      ' ': on_button ? null : () => focus && play(focus), y: () => focus && judge(focus, 'positive'), n: () => focus && judge(focus, 'negative'),
      u: () => focus && judge(focus, 'unsure'), z: () => send('undo'), Enter: on_button ? null : () => focus && send('closer', {row: cardOf(focus).row}),
    }[event.key]
    if (!act) return
    event.preventDefault(); event.stopPropagation()
    act()
  })
  model.on('msg:custom', message => {
    if (message.kind === 'sound') player.heard(`${message.row} ${heardAs(message.key)}`, message)
    if (message.kind === 'picture') { shelf.keep(message); show_picture(message.row) }
  })
  let queued = false
  const soon = () => { if (!queued) { queued = true; requestAnimationFrame(() => { queued = false; draw() }) } }
  model.on(['cards', 'total', 'mode', 'numbers', 'class_', 'alone', 'ready', 'key'], soon)
  send.refused = soon
  model.on('remove', () => { keys.end(); player.end() })
  new ResizeObserver(() => keys.begin()).observe(page)
  draw()
  return root
}

// Below the curve: labels that the others disagree with, to be heard again; each is kept or turned round.

const SAYS = {positive: 'yes', negative: 'no'}

export function render({model, view}) {
  const send = sender(model, view)
  const shelf = pictureShelf(model, send)
  const nodes = new Map()
  const list = h('div', {class: 'cards'})
  const says = h('p', {class: 'says'})
  const number = h('small', {})
  const heard = h('div', {class: 'unseen', role: 'status'})
  const key = c => `${c.row} ${c.class}`
  const nodeOf = name => nodes.get(String(name).split('/')[0])
  const player = makePlayer((name, is) => { const node = nodeOf(name); if (node) showPlaying(node, is) },
    (name, share) => { const line = nodeOf(name)?.querySelector('.playhead'); if (line) line.style.left = `${share * 100}%` })
  const root = h('section', {class: 'card panel', 'aria-label': 'Labels that look wrong'},
    h('header', {}, h('h2', {}, 'Labels that look wrong'), number), says, list, heard, player.audio)
  const wanted = new Map()

  const play = c => { const name = `${key(c)}/${heardAs(model.key)}`; wanted.set(c.row, name); player.play(name, () => send('sound', {row: c.row})) }
  const refusal = () => model.refusals.annotator || null
  function card(c) {
    const other = c.judgement === 'positive' ? 'no' : 'yes'
    return h('article', {class: 'doubt', 'aria-label': `${c.class}, labelled ${SAYS[c.judgement]}: ${whereOf(c)} ${c.time || c.at}`, style: {'--mine': `var(--class-${c.style % 8})`}},
      h('div', {class: 'seen'}, h('div', {class: 'spectrogram waiting', onclick: () => play(c)}, playhead()),
        h('button', {class: 'play', 'aria-label': 'Play', onclick: () => play(c)}, icon('play'))),
      h('div', {class: 'words'}, h('div', {class: 'line', title: fullOf(c)}, sign(c.shape, c.style, 13), h('b', {}, c.class),
        h('span', {class: c.judgement === 'positive' ? 'chip yes' : 'chip no'}, icon(SAYS[c.judgement], 10), SAYS[c.judgement]),
        h('button', {class: 'link where', title: 'See it on the map', onclick: () => send('show', {row: c.row})}, `${whereOf(c)} ${c.time ? c.time.slice(0, 5) : c.at}`)),
      h('p', {class: 'reason', title: c.reason}, c.reason),
      h('div', {class: 'two'},
        h('button', {disabled: Boolean(refusal()), title: refusal() ?? 'It was heard again, and is right', onclick: () => { say(`kept: ${SAYS[c.judgement]}`); send('keep', {row: c.row, name: c.class}) }}, `Keep ${SAYS[c.judgement]}`),
        h('button', {disabled: Boolean(refusal()), title: refusal() ?? `It was heard again, and is ${other}`, onclick: () => { say(`changed to ${other}`); send('flip', {row: c.row, name: c.class}) }}, icon(other, 12), `Change to ${other}`))))
  }
  const say = text => { heard.textContent = ''; requestAnimationFrame(() => { heard.textContent = text }) }

  function show_pictures() {
    for (const c of model.cards) {
      const frame = nodes.get(key(c))?.querySelector('.spectrogram')
      if (frame) fillFrame(frame, shelf.get(c.row))
    }
  }
  function draw() {
    const before = new Map(nodes)
    nodes.clear()
    for (const c of model.cards) nodes.set(key(c), before.get(key(c)) ?? card(c))
    refill(list, [...nodes.values()])
    list.classList.toggle('outdated', model.outdated)
    number.textContent = model.total > model.cards.length ? `${model.cards.length} of ${count(model.total)}` : model.total ? String(model.total) : ''
    says.textContent = model.cards.length ? 'The other labels speak against these. Listen again: a rare call may be right, and alone.' : model.says
    root.hidden = !model.cards.length && !model.says
    show_pictures()
    shelf.ask(model.cards.map(c => c.row))
  }
  model.on('msg:custom', message => {
    if (message.kind === 'sound') player.heard(wanted.get(message.row), message)
    if (message.kind === 'picture') { shelf.keep(message); show_pictures() }
  })
  model.on('remove', () => player.end())
  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw() }) } }
  model.on(['cards', 'total', 'says', 'outdated'], soon)
  model.on(['key', 'refusals'], () => { player.stop(); nodes.clear(); soon() })
  draw()
  return root
}

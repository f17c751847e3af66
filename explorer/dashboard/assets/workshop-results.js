// The teacher's pages after the reveal: one clip at a time with what the class said, and the results.

// Numbers of people's answers as codes, -1 for none: who gave which answer to a clip.
const names_by_answer = (room, clip, when) => room.choices.map((_, code) =>
  room.members.filter(m => m[when][clip] === code).map(m => m.who))

function agreement_words(found) {
  if (!found) return 'nobody can tell yet'
  return `${percent(found.pairs)} of pairs of answers are the same`
}
function kappa_words(found) {
  if (!found) return 'from two answers to a clip on'
  if (found.kappa === null) return 'kappa cannot be told: all said the same everywhere'
  return `Fleiss’ kappa ${score(found.kappa)} (${score(found.low)} to ${score(found.high)}), ${found.word}; ${many(found.clips, 'clip')}, ${many(found.people, 'person', 'people')}`
}

// One clip, large: bars of what was said before (and now), names on request, right on request, why.
function discuss_view(model, send, look) {
  const clip = clip_view({label: 'this clip'})
  const head = h('div', {class: 'ask'}), bars = h('div', {class: 'bars'}), acts = h('div', {class: 'acts'}), why = h('div', {class: 'why'})
  const list = h('nav', {class: 'clips', 'aria-label': 'Clips'})
  const node = h('div', {class: 'discuss'}, list, h('section', {class: 'card talk'}, head, h('div', {class: 'both'}, clip.node, h('div', {class: 'said'}, bars, acts)), why))
  let why_of = ''

  function order(room) {
    const all = [...Array(room.clips).keys()]
    return look.by_disagreement ? all.sort((a, b) => room.disagreement[b] - room.disagreement[a] || a - b) : all
  }
  function step(by) {
    const room = model.room_view, all = order(room)
    const to = all[all.indexOf(room.at) + by]
    if (to !== undefined) send('point', {clip: to})
  }
  function draw() {
    const room = model.room_view
    if (!room?.counts_now) return
    const at = room.at, told = String(at) in room.told, right = room.told[String(at)] ?? ''
    clip.show(room.token, String(at))
    const all = order(room)
    list.replaceChildren(
      h('div', {class: 'sort', role: 'group', 'aria-label': 'Order of the clips'},
        h('button', {'aria-pressed': String(!look.by_disagreement), onclick: () => { look.by_disagreement = false; draw() }}, 'In order'),
        h('button', {'aria-pressed': String(look.by_disagreement), onclick: () => { look.by_disagreement = true; draw() }}, 'Most disputed')),
      h('ol', {}, all.map(i => h('li', {}, h('button', {class: 'entry', 'aria-current': i === at ? 'step' : null, onclick: () => send('point', {clip: i}),
        'aria-label': `Clip ${i + 1}, ${percent(room.disagreement[i])} of pairs differ`},
        h('span', {class: 'n'}, i + 1), answer_bar(room.choices, room.counts[i]),
        String(i) in room.told ? icon('yes', 14) : h('span', {class: 'gap'}))))))
    head.replaceChildren(h('h1', {}, room.question), h('p', {class: 'nth'}, `Clip ${at + 1} of ${room.clips} · ${room.where[at]}`))
    const first = room.counts[at], now = room.counts_now[at]
    const moved = first.some((n, i) => n !== now[i])
    const most = Math.max(1, sum(first), sum(now))
    const names = look.names ? names_by_answer(room, at, 'now') : null
    bars.replaceChildren(...room.choices.map((c, i) => {
      const correct = right === c.answer
      return h('div', {class: `bar-row${correct ? ' right' : ''}`, style: {'--mine': answer_colour(c)}, role: 'img',
        'aria-label': `${answer_words(c)}: ${first[i]} before${moved ? `, ${now[i]} now` : ''}${correct ? ', right' : ''}`},
        answer_sign(c, 20), h('span', {class: 'words'}, answer_words(c)),
        h('span', {class: 'track'}, h('i', {style: {width: `${first[i] / most * 100}%`}}), moved ? h('i', {class: 'now', style: {width: `${now[i] / most * 100}%`}}) : ''),
        h('b', {}, moved ? `${first[i]} → ${now[i]}` : first[i]), correct ? h('span', {class: 'tick'}, icon('yes', 16)) : h('span', {class: 'gap'}),
        names?.[i].length ? h('span', {class: 'names'}, names[i].join(', ')) : '')
    }))
    const settle = told && !right
    acts.replaceChildren(
      h('p', {class: 'quiet'}, room.disagreement[at] === 0 ? 'All said the same.' : `${percent(room.disagreement[at])} of pairs differ.`,
        moved ? ' The thin line is what they say now.' : told ? '' : ' Let neighbours talk, and answer again.'),
      h('div', {class: 'row'},
        told ? '' : h('button', {class: 'primary big', onclick: () => send('tell', {clip: at})}, 'Show what is right'),
        h('button', {'aria-pressed': String(look.names), onclick: () => { look.names = !look.names; draw() }}, look.names ? 'Hide names' : 'Show names')),
      settle ? h('div', {class: 'row settle'}, h('span', {}, 'No label says what is right. You say:'),
        room.choices.filter(c => c.answer !== 'unsure').map(c => h('button', {onclick: () => send('settle', {clip: at, right: c.answer})}, answer_sign(c, 16), answer_words(c)))) : '',
      h('div', {class: 'row turn'},
        h('button', {class: 'big', disabled: all.indexOf(at) === 0, onclick: () => step(-1), 'aria-label': 'Previous clip'}, icon('left', 18)),
        h('button', {class: told ? 'primary big' : 'big', disabled: all.indexOf(at) === all.length - 1, onclick: () => step(1)}, 'Next clip', icon('right', 18))))
    const found = room.why?.[String(at)]
    const key = `${room.token} ${at} ${found?.length ?? 0}`
    if (key !== why_of) {
      why_of = key
      why.hidden = !found?.length
      if (!why.hidden) why.replaceChildren(h('h2', {}, 'Why? Of the labelled sounds these are most like it'),
        h('div', {class: 'examples'}, found.map(x => {
          const small = clip_view({small: true, label: `${x.label}, ${x.where}`})
          small.show(room.token, x.name)
          small.on_play(() => clip.stop())
          return h('figure', {}, small.node, h('figcaption', {}, h('b', {}, x.label), h('span', {}, x.where)))
        })))
    }
  }
  return {node, draw, clip, step}
}

// How it went: agreement before and after, hardest clips, who took what for what, and the way out.
function results_view(model, send, look) {
  const node = h('div', {class: 'results'})
  const figure = (words, found) => h('div', {class: 'figure'}, h('span', {class: 'quiet'}, words),
    h('b', {}, found ? percent(found.pairs) : '–'), h('small', {}, kappa_words(found)))
  function draw() {
    const room = model.room_view
    if (!room?.counts_now) return
    const all_told = Object.keys(room.told).length === room.clips
    const hardest = [...Array(room.clips).keys()].map(i => {
      const right = room.choices.findIndex(c => c.answer === room.told[String(i)])
      const total = sum(room.counts[i])
      return {i, share: right >= 0 && total ? room.counts[i][right] / total : null, differ: room.disagreement[i]}
    }).sort((a, b) => (a.share ?? 2) - (b.share ?? 2) || b.differ - a.differ).slice(0, 5)
    const table = room.confusion
    node.replaceChildren(
      h('section', {class: 'card'}, h('h2', {}, 'How far the class agreed'), h('p', {class: 'quiet'}, 'Share of pairs of answers that are the same'),
        h('div', {class: 'figures'}, figure('alone', room.agreement), figure('after the discussion', room.agreement_now))),
      h('section', {class: 'card'}, h('h2', {}, all_told ? 'Hardest clips' : 'Most disputed clips'),
        h('table', {}, h('thead', {}, h('tr', {}, h('th', {}, 'clip'), h('th', {}, 'right'), h('th', {}, 'what the class said'), h('th', {}, 'had it right'))),
          h('tbody', {}, hardest.map(x => h('tr', {}, h('td', {}, h('button', {class: 'link', onclick: () => { send('point', {clip: x.i}); look.open('discuss') }}, `Clip ${x.i + 1}`)),
            h('td', {}, room.told[String(x.i)] || (String(x.i) in room.told ? 'not known' : 'not told yet')),
            h('td', {}, answer_bar(room.choices, room.counts[x.i])), h('td', {}, x.share === null ? '–' : percent(x.share))))))),
      h('section', {class: 'card'}, h('h2', {}, 'What was taken for what'),
        !table ? h('p', {class: 'quiet'}, 'Shown when every clip’s right answer has been told.')
          : !table.right.length ? h('p', {class: 'quiet'}, 'No clip has a right answer that is known.')
          : h('table', {class: 'confusion'}, h('thead', {}, h('tr', {}, h('th', {}, 'right ↓  answered →'), room.choices.map(c => h('th', {}, answer_words(c))))),
            h('tbody', {}, table.right.map((right, r) => {
              const total = Math.max(1, sum(table.counts[r]))
              return h('tr', {}, h('th', {scope: 'row'}, right), table.counts[r].map((n, c) =>
                h('td', {class: room.choices[c].answer === right ? 'hit' : n ? 'miss' : '', style: {'--share': `${Math.round(n / total * 60)}%`}}, n, ' ', h('small', {}, n ? percent(n / total) : ''))))
            })))),
      h('section', {class: 'card people'}, h('div', {class: 'ask'}, h('h2', {}, 'Who had how many right'),
        h('button', {'aria-pressed': String(look.names), onclick: () => { look.names = !look.names; draw() }}, look.names ? 'Hide names' : 'Show names')),
        !all_told ? h('p', {class: 'quiet'}, 'Shown when every clip’s right answer has been told.')
          : look.names ? h('table', {}, h('thead', {}, h('tr', {}, h('th', {}, 'name'), h('th', {}, 'alone'), h('th', {}, 'after'), h('th', {}, 'of'))),
            h('tbody', {}, [...room.members].sort((a, b) => b.right - a.right).map(m => h('tr', {}, h('td', {}, m.who), h('td', {}, m.right), h('td', {}, m.right_now), h('td', {}, m.of)))))
          : spread_of(room)),
      h('section', {class: 'card'}, h('h2', {}, 'Take it along'),
        h('p', {class: 'quiet'}, room.taken ? `${many(room.taken, 'label')} of the class’s majority are in the collection, under the name “workshop”.`
          : 'Answers are no labels. If you trust the class, what more than half said last can become labels, under the name “workshop”; they can be taken back.'),
        h('div', {class: 'row'},
          room.taken ? h('button', {class: 'big', onclick: () => send('give_back')}, icon('undo', 16), 'Take the labels back')
            : h('button', {class: 'big', onclick: () => send('majority')}, 'Take the majority as labels'),
          h('button', {class: 'big', onclick: () => send('download')}, icon('export', 16), 'Download answers (CSV)'),
          h('button', {class: 'big', onclick: () => send('again')}, 'Same clips for another class'))))
  }
  // How many people had how many right, with no names.
  function spread_of(room) {
    const of = Math.max(1, ...room.members.map(m => m.of))
    const bins = Array(of + 1).fill(0)
    for (const m of room.members) if (m.of) bins[m.right] += 1
    const most = Math.max(1, ...bins)
    return h('div', {class: 'spread', role: 'img', 'aria-label': bins.map((n, k) => n ? `${n} had ${k} right` : '').filter(Boolean).join(', ')},
      bins.map((n, k) => h('span', {}, h('i', {style: {height: `${n / most * 90}px`}}, n ? h('b', {}, n) : ''), h('small', {}, k))))
  }
  return {node, draw}
}

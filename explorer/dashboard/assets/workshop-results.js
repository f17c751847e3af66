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
  const head = tag('div', {class: 'ask'}), bars = tag('div', {class: 'bars'}), acts = tag('div', {class: 'acts'}), why = why_view(clip, 'Why? Of the labelled sounds these are most like it')
  const list = tag('nav', {class: 'clips', 'aria-label': 'Clips'})
  const node = tag('div', {class: 'discuss', fixed: 'discuss'}, list, tag('section', {class: 'card talk'}, head, tag('div', {class: 'both'}, clip.node, tag('div', {class: 'said'}, bars, acts)), why.node))

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
    settle(list,
      tag('div', {class: 'sort', role: 'group', 'aria-label': 'Order of the clips'},
        tag('button', {'aria-pressed': String(!look.by_disagreement), onclick: () => { look.by_disagreement = false; draw() }}, 'In order'),
        tag('button', {'aria-pressed': String(look.by_disagreement), onclick: () => { look.by_disagreement = true; draw() }}, 'Most disputed')),
      tag('ol', {}, all.map(i => tag('li', {}, tag('button', {class: 'entry', 'aria-current': i === at ? 'step' : null, onclick: () => send('point', {clip: i}),
        'aria-label': `Clip ${i + 1}, ${percent(room.disagreement[i])} of pairs differ`},
        tag('span', {class: 'n'}, i + 1), answer_bar(room.choices, room.counts[i]),
        String(i) in room.told ? icon('yes', 14) : tag('span', {class: 'gap'}))))))
    settle(head, tag('h1', {}, room.question), tag('p', {class: 'nth'}, `Clip ${at + 1} of ${room.clips} · ${room.where[at]}`))
    const first = room.counts[at], now = room.counts_now[at]
    const moved = first.some((n, i) => n !== now[i])
    const most = Math.max(1, sum(first), sum(now))
    const names = look.names ? names_by_answer(room, at, 'now') : null
    settle(bars, room.choices.map((c, i) => {
      const correct = right === c.answer
      return tag('div', {class: `bar-row${correct ? ' right' : ''}`, style: {'--mine': answer_colour(c)}, role: 'img',
        'aria-label': `${answer_words(c)}: ${first[i]} before${moved ? `, ${now[i]} now` : ''}${correct ? ', right' : ''}`},
        answer_sign(c, 20), tag('span', {class: 'words'}, answer_words(c)),
        tag('span', {class: 'track'}, tag('i', {style: {width: `${first[i] / most * 100}%`}}), moved ? tag('i', {class: 'now', style: {width: `${now[i] / most * 100}%`}}) : ''),
        tag('b', {}, moved ? `${first[i]} → ${now[i]}` : first[i]), correct ? tag('span', {class: 'tick'}, icon('yes', 16)) : tag('span', {class: 'gap'}),
        names?.[i].length ? tag('span', {class: 'names'}, names[i].join(', ')) : '')
    }))
    const unsettled = told && !right
    settle(acts,
      tag('p', {class: 'quiet'}, room.disagreement[at] === 0 ? 'All said the same.' : `${percent(room.disagreement[at])} of pairs differ.`,
        moved ? ' The thin line is what they say now.' : told ? '' : ' Let neighbours talk, and answer again.'),
      tag('div', {class: 'row'},
        told ? '' : tag('button', {class: 'primary big', onclick: () => send('tell', {clip: at})}, 'Show what is right'),
        tag('button', {'aria-pressed': String(look.names), onclick: () => { look.names = !look.names; draw() }}, look.names ? 'Hide names' : 'Show names')),
      unsettled ? tag('div', {class: 'row settle'}, tag('span', {}, 'No label says what is right. You say:'),
        room.choices.filter(c => c.answer !== 'unsure').map(c => tag('button', {onclick: () => send('settle', {clip: at, right: c.answer})}, answer_sign(c, 16), answer_words(c)))) : '',
      tag('div', {class: 'row turn'},
        tag('button', {class: 'big', disabled: all.indexOf(at) === 0, onclick: () => step(-1), 'aria-label': 'Previous clip'}, icon('left', 18)),
        tag('button', {class: told ? 'primary big' : 'big', disabled: all.indexOf(at) === all.length - 1, onclick: () => step(1)}, 'Next clip', icon('right', 18))))
    why.show(room.token, at, room.why?.[String(at)])
  }
  return {node, draw, clip, step}
}

// How it went: agreement before and after, hardest clips, who took what for what, and the way out.
function results_view(model, send, look) {
  const node = tag('div', {class: 'results', fixed: 'results'})
  const figure = (words, found) => tag('div', {class: 'figure'}, tag('span', {class: 'quiet'}, words),
    tag('b', {}, found ? percent(found.pairs) : '–'), tag('small', {}, kappa_words(found)))
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
    settle(node, tag('h1', {class: 'unseen'}, `How it went: ${room.question}`),
      tag('section', {class: 'card'}, tag('h2', {}, 'How far the class agreed'), tag('p', {class: 'quiet'}, 'Share of pairs of answers that are the same'),
        tag('div', {class: 'figures'}, figure('alone', room.agreement), figure('after the discussion', room.agreement_now))),
      tag('section', {class: 'card'}, tag('h2', {}, all_told ? 'Hardest clips' : 'Most disputed clips'),
        tag('table', {}, tag('thead', {}, tag('tr', {}, tag('th', {}, 'clip'), tag('th', {}, 'right'), tag('th', {}, 'what the class said'), tag('th', {}, 'had it right'))),
          tag('tbody', {}, hardest.map(x => tag('tr', {}, tag('td', {}, tag('button', {class: 'link', onclick: () => { send('point', {clip: x.i}); look.open('discuss') }}, `Clip ${x.i + 1}`)),
            tag('td', {}, room.told[String(x.i)] || (String(x.i) in room.told ? 'not known' : 'not told yet')),
            tag('td', {}, answer_bar(room.choices, room.counts[x.i])), tag('td', {}, x.share === null ? '–' : percent(x.share))))))),
      tag('section', {class: 'card'}, tag('h2', {}, 'What was taken for what'),
        !table ? tag('p', {class: 'quiet'}, 'Shown when every clip’s right answer has been told.')
          : !table.right.length ? tag('p', {class: 'quiet'}, 'No clip has a right answer that is known.')
          : tag('table', {class: 'confusion'}, tag('thead', {}, tag('tr', {}, tag('th', {}, 'right ↓  answered →'), room.choices.map(c => tag('th', {}, answer_words(c))))),
            tag('tbody', {}, table.right.map((right, r) => {
              const total = Math.max(1, sum(table.counts[r]))
              return tag('tr', {}, tag('th', {scope: 'row'}, right), table.counts[r].map((n, c) =>
                tag('td', {class: room.choices[c].answer === right ? 'hit' : n ? 'miss' : '', style: {'--share': `${Math.round(n / total * 60)}%`}}, n, ' ', tag('small', {}, n ? percent(n / total) : ''))))
            })))),
      tag('section', {class: 'card people'}, tag('div', {class: 'ask'}, tag('h2', {}, 'Who had how many right'),
        tag('button', {'aria-pressed': String(look.names), onclick: () => { look.names = !look.names; draw() }}, look.names ? 'Hide names' : 'Show names')),
        !all_told ? tag('p', {class: 'quiet'}, 'Shown when every clip’s right answer has been told.')
          : look.names ? tag('table', {}, tag('thead', {}, tag('tr', {}, tag('th', {}, 'name'), tag('th', {}, 'alone'), tag('th', {}, 'after'), tag('th', {}, 'of'))),
            tag('tbody', {}, [...room.members].sort((a, b) => b.right - a.right).map(m => tag('tr', {}, tag('td', {}, m.who), tag('td', {}, m.right), tag('td', {}, m.right_now), tag('td', {}, m.of)))))
          : spread_of(room)),
      tag('section', {class: 'card'}, tag('h2', {}, 'Take it along'),
        tag('p', {class: 'quiet'}, room.taken ? `${many(room.taken, 'label')} of the class’s majority are in the collection, under the name “workshop”.`
          : 'Answers are no labels. If you trust the class, what more than half said last can become labels, under the name “workshop”; they can be taken back.'),
        tag('div', {class: 'row'},
          room.taken ? tag('button', {class: 'big', onclick: () => send('give_back')}, icon('undo', 16), 'Take the labels back')
            : tag('button', {class: 'big', onclick: () => send('majority')}, 'Take the majority as labels'),
          tag('button', {class: 'big', onclick: () => send('download')}, icon('export', 16), 'Download answers (CSV)'),
          tag('button', {class: 'big', onclick: () => send('again')}, 'Same clips for another class'))))
  }
  // How many people had how many right, with no names.
  function spread_of(room) {
    const of = Math.max(1, ...room.members.map(m => m.of))
    const bins = Array(of + 1).fill(0)
    for (const m of room.members) if (m.of) bins[m.right] += 1
    const most = Math.max(1, ...bins)
    return tag('div', {class: 'spread', role: 'img', 'aria-label': bins.map((n, k) => n ? `${n} had ${k} right` : '').filter(Boolean).join(', ')},
      bins.map((n, k) => tag('span', {}, tag('i', {style: {height: `${n / most * 90}px`}}, n ? tag('b', {}, n) : ''), tag('small', {}, k))))
  }
  return {node, draw}
}

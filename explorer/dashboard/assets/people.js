// Left: who labelled what, who is here, and how far they agree. Every figure says what it rests on.

export function render({model, view}) {
  const send = sender(model, view)
  const who = h('div', {class: 'people'})
  const shown = h('small', {class: 'shown'})
  const said = h('p', {class: 'sentence'})
  const table = h('div', {class: 'classes'})
  const pairs = h('div', {class: 'pairs'})
  const teach = h('div', {class: 'teach'})
  const note = h('p', {class: 'note'}, 'Kappa is agreement beyond chance: 1 is always, 0 as often as chance would have it. ',
    'It is of use where people judged without seeing each other’s labels, as under “Second opinion”, in a study or in a workshop.')
  const agree = h('div', {class: 'agree'}, h('h2', {}, 'How far you agree'), said, table, pairs, note)
  const root = h('section', {class: 'card panel', 'aria-label': 'People'},
    h('div', {class: 'scroll'}, h('h2', {}, 'Who labelled', shown), who, teach, agree))

  // --- people ------------------------------------------------------------------------------
  function ago(iso) {
    const s = (Date.now() - Date.parse(iso)) / 1000
    if (Number.isNaN(s)) return ''
    if (s < 90) return 'just now'
    if (s < 5400) return `${Math.round(s / 60)} min ago`
    if (s < 79200) return many(Math.round(s / 3600), 'hour') + ' ago'
    const days = Math.round(s / 86400)
    return days < 2 ? 'yesterday' : days < 60 ? `${days} days ago` : new Date(iso).toLocaleDateString('en-GB', {month: 'short', year: 'numeric'})
  }
  function person(p, most) {
    const share = n => ({width: `${100 * n / Math.max(1, most)}%`})
    const classes = p.classes.slice(0, 3).map(([name, n]) => `${name} ${count(n)}`).join(', ') + (p.classes.length > 3 ? ` and ${p.classes.length - 3} more` : '')
    const parts = [p.yes && `${count(p.yes)} yes`, p.no && `${count(p.no)} no`, p.unsure && `${count(p.unsure)} unsure`].filter(Boolean)
    return h('li', {class: 'person'},
      h('span', {class: p.here ? 'face here' : 'face', 'aria-hidden': 'true'}, ([...p.name][0] ?? '?').toUpperCase()),
      h('div', {class: 'what'},
        h('div', {class: 'line'}, h('b', {}, p.name), p.name === model.user && h('small', {}, 'you'),
          p.here && h('small', {class: 'now'}, 'here now'), h('span', {class: 'last'}, p.last ? ago(p.last) : '')),
        p.labels ? [h('div', {class: 'bar', 'aria-hidden': 'true'}, h('i', {class: 'yes', style: share(p.yes)}), h('i', {class: 'no', style: share(p.no)}), h('i', {class: 'unsure', style: share(p.unsure)})),
          h('small', {title: p.classes.map(([name, n]) => `${name}: ${n}`).join('\n')}, `${many(p.labels, 'label')}: ${parts.join(', ')} · ${classes}`)]
          : h('small', {}, 'no labels yet')))
  }

  // --- agreement ---------------------------------------------------------------------------
  const kappa = x => x === null ? '?' : score(x)
  function interval(a) {
    // From -0.25 on: less than chance is rare, and not told apart further.
    const at = x => 100 * (Math.max(-0.25, x) + 0.25) / 1.25
    const marks = [h('i', {class: 'zero', style: {left: `${at(0)}%`}})]
    if (a.kappa !== null) marks.push(h('i', {class: 'span', style: {left: `${at(a.low)}%`, width: `${at(a.high) - at(a.low)}%`}}),
      h('i', {class: 'dot', style: {left: `${at(a.kappa)}%`}}))
    return h('div', {class: 'interval', 'aria-hidden': 'true'}, marks)
  }
  const words = a => a.windows === 0 ? 'no window was judged by two people' : a.kappa === null ? 'all say the same of every window, so kappa is not known'
    : `kappa ${kappa(a.kappa)}, between ${kappa(a.low)} and ${kappa(a.high)}: ${a.word}`
  const cells = a => [h('td', {class: 'num'}, count(a.windows)), h('td', {class: 'num'}, a.agreed === null ? '–' : `${Math.round(a.agreed * 100)} %`),
    h('td', {class: 'num', title: words(a)}, a.windows ? (a.kappa === null ? '–' : kappa(a.kappa)) : '–'), h('td', {class: 'wide'}, interval(a)), h('td', {class: 'word'}, a.word)]
  const scale = () => h('div', {class: 'scale', 'aria-hidden': 'true'}, h('span', {style: {left: '20%'}}, '0'), h('span', {style: {left: '100%'}}, '1'))
  const heads = first => h('thead', {}, h('tr', {}, [first, 'windows', 'alike', 'kappa', scale(), ''].map((t, i) => h('th', {scope: 'col', class: i && i < 4 ? 'num' : null}, t))))

  function draw_classes() {
    table.hidden = !model.classes.length
    table.replaceChildren(h('table', {}, heads('class'), h('tbody', {}, model.classes.map(c => h('tr', {class: c.name === model.class_ ? 'chosen' : null},
      h('th', {scope: 'row'}, h('button', {class: 'open', 'aria-pressed': String(c.name === model.class_), title: `${c.name}: ${words(c)}`, onclick: () => send('class', {name: c.name})},
        sign(c.shape, c.style, 13), h('span', {class: 'name'}, c.name))), cells(c))))))
  }
  function draw_pairs() {
    const people = [...new Set(model.pairs.flatMap(p => p.who))]
    pairs.hidden = people.length < 3
    if (people.length < 3) return
    const of = (a, b) => model.pairs.find(p => p.who.includes(a) && p.who.includes(b))
    const short = name => [...name].slice(0, 8).join('')
    const cell = (a, b) => {
      const p = of(a, b)
      if (!p) return h('td', {class: 'none', title: `${a} and ${b} judged no window both`}, '·')
      const k = p.kappa === null || p.high - p.low > 1 ? null : p.kappa // one or two windows say nothing
      return h('td', {class: k === null ? 'pair' : 'pair known', style: {'--share': k === null ? 0 : Math.max(0, k)}, title: `${a} and ${b}: ${many(p.windows, 'window')}, ${words(p)}`},
        h('b', {}, k === null ? '–' : kappa(k)), h('small', {}, count(p.windows)))
    }
    pairs.replaceChildren(h('h3', {}, 'In pairs', h('small', {}, 'kappa, and windows that both judged')),
      h('div', {class: 'across'}, h('table', {class: 'matrix'}, h('thead', {}, h('tr', {}, h('td', {}), people.slice(1).map(name => h('th', {scope: 'col', title: name}, short(name))))),
        h('tbody', {}, people.slice(0, -1).map((a, i) => h('tr', {}, h('th', {scope: 'row', title: a}, short(a)),
          people.slice(1).map((b, j) => j < i ? h('td', {}) : cell(a, b))))))))
  }

  // --- nobody to agree with ----------------------------------------------------------------
  const code = text => h('code', {}, text)
  function draw_teach() {
    const folder = `"${model.collection}"`
    if (model.state_of_things === 'alone') {
      teach.replaceChildren(h('h2', {}, 'A second pair of ears'),
        h('p', {}, 'One person’s labels cannot be checked. With a second one you see here how far you agree, and decide together what is unclear.'),
        h('ol', {}, h('li', {}, 'Give each a name and a password, and serve the collection to your network:',
          code('explorer users users.json add ben'), code(`explorer serve ${folder} --users users.json --address 0.0.0.0`)),
        h('li', {}, 'With a class of students, hold a workshop: they join with a name and answer blind.', code(`explorer serve ${folder} --workshop --address 0.0.0.0`)),
        h('li', {}, 'Labels made elsewhere, in Raven, Audacity or a table:', code(`explorer import ${folder} labels/ --who ben`))))
    } else if (model.state_of_things === 'apart') {
      teach.replaceChildren(h('h2', {}, 'No window was judged by two of you'),
        h('p', {}, 'How far you agree is known from windows that two people judged. Choose “Second opinion” on the right: it asks you, without telling what was said, about windows that others have judged.'))
    }
    teach.hidden = !['alone', 'apart'].includes(model.state_of_things)
    agree.hidden = model.state_of_things !== 'known'
  }

  function draw() {
    const most = Math.max(...model.people.map(p => p.labels), 1)
    who.replaceChildren(model.people.length ? h('ul', {}, model.people.map(p => person(p, most)))
      : h('p', {class: 'quiet'}, model.state_of_things === 'wait' ? 'Reading the labels …' : 'Nobody has labelled anything yet. Labels are made on the screen Explore.'))
    shown.textContent = model.shown ? `among the windows shown: ${model.shown}` : ''
    said.textContent = model.sentence
    draw_classes(); draw_pairs(); draw_teach()
  }
  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw() }) } }
  model.on(['people', 'sentence', 'classes', 'class_', 'pairs', 'state_of_things', 'shown'], soon)
  const clock = setInterval(draw, 30000)
  model.on('remove', () => clearInterval(clock))
  draw()
  return root
}

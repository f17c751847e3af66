// The teacher's page, made to be projected: make, gather, watch, reveal, discuss, look back.

export function render({model, view, el}) {
  const send = sender(model, view)
  const host = el.getRootNode().host ?? el
  const look = {names: false, peek: false, by_disagreement: false, open: name => open(name)}
  let place = '', seen_phase = null, seen_token = null, seen_name = null, making = {classes: new Set(), clips: 'labelled', n: 12, name: ''}

  const title = tag('button', {class: 'bare exercise', 'aria-haspopup': 'menu', onclick: () => menu(title, [
    ...model.made.map(x => ({label: x.name, note: `${many(x.clips, 'clip')}, ${many(x.people, 'person', 'people')}`, value: x.name, chosen: x.name === model.room_view?.name})),
    ...(model.made.length ? [null] : []), {label: 'New exercise …', value: ''}],
    value => value ? send('choose', {name: value}) : open('make'))})
  const steps = tag('nav', {class: 'steps', 'aria-label': 'Steps'})
  const act = tag('div', {class: 'act'})
  const main = tag('main', {class: 'wall', tabindex: -1})
  const discuss = discuss_view(model, send, look), results = results_view(model, send, look)
  const theme = theme_button(host, () => { discuss.clip.retheme(); draw(true) })
  const root = tag('div', {class: 'teacher'}, tag('header', {}, title, steps, act, theme), main, toasts(model, send))
  watch_connection(model, root)
  const CODE = 'explorer-teacher'

  function open(name) { place = name; if (name !== 'prepare' && model.prepared.length) send('prepare', {on: false}); discuss.clip.stop(); draw(true); main.scrollTop = 0 }

  // --- coming in ---------------------------------------------------------------------------
  function draw_code() {
    const field = keepKeys(tag('input', {type: 'text', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', 'aria-label': 'Teacher’s code', placeholder: 'xxxx-xxxx'}))
    const go = () => { try { sessionStorage.setItem(CODE, field.value) } catch { /* private mode */ } send('enter', {code: field.value}) }
    field.addEventListener('keydown', event => { if (event.key === 'Enter') go() })
    main.replaceChildren(tag('section', {class: 'card join'}, tag('h1', {}, 'Teacher’s page'),
      tag('p', {class: 'quiet'}, 'The code stands in the terminal of the machine that serves this page. On that machine itself no code is needed.'),
      field, tag('button', {class: 'primary big', onclick: go}, 'Enter')))
    setTimeout(() => field.focus(), 50)
  }

  // --- making ------------------------------------------------------------------------------
  function draw_make() {
    const m = making, [fewest, most] = model.limits
    if (!model.classes.length) {
      settle(main, tag('section', {class: 'card make', key: 'first'}, tag('h1', {}, 'First a few labels'),
        tag('p', {}, 'An exercise asks about a class. Make one on the dashboard: pick some sounds and name them, say yes to a few and no to a few others. Then come back here.'),
        model.dashboard ? tag('a', {href: model.dashboard}, 'Open the dashboard') : ''))
      return
    }
    const chosen = model.classes.filter(c => m.classes.has(c.name))
    const enough = m.clips === 'ranked' || (chosen.length > 1 ? chosen.every(c => c.yes) : chosen.every(c => c.yes && c.no))
    const question = chosen.length === 0 ? 'Choose a class, or several.' : chosen.length === 1 ? `“Do you hear ${chosen[0].name}?” yes, no, or not sure` : `“Which of these do you hear?” ${chosen.map(c => c.name).join(', ')}, none, or not sure`
    const number = keepKeys(tag('input', {type: 'number', min: fewest, max: most, value: String(m.n), id: 'clips', oninput: event => { m.n = Number(event.target.value) }}))
    const name = keepKeys(tag('input', {type: 'text', maxlength: 60, value: m.name, id: 'title', placeholder: chosen.map(c => c.name).join(', ') || 'name', oninput: event => { m.name = event.target.value }}))
    const way = (value, words, note) => tag('label', {class: 'way'}, tag('input', {type: 'radio', name: 'from', value, checked: m.clips === value, onchange: () => { m.clips = value; draw(true) }}),
      tag('span', {}, tag('b', {}, words), tag('small', {}, note)))
    settle(main, tag('section', {class: 'card make', key: 'make'}, tag('h1', {}, 'New exercise'),
      tag('fieldset', {}, tag('legend', {}, 'About'), tag('div', {class: 'chips'}, model.classes.map((c, i) => tag('button', {class: 'pill', 'aria-pressed': String(m.classes.has(c.name)), onclick: () => {
        m.classes.has(c.name) ? m.classes.delete(c.name) : m.classes.add(c.name); draw(true) }}, c.name, tag('small', {}, `${c.yes} yes, ${c.no} no`))))),
      tag('p', {class: 'asks', 'aria-live': 'polite'}, question),
      tag('fieldset', {}, tag('legend', {}, 'Clips'),
        way('labelled', 'Labelled ones', 'What is right is known, so that you can show it. As many of each answer as there are labels.'),
        way('ranked', 'From the ranking', 'Clear and doubtful ones, from all levels of score. Where no label says what is right, you do, or nobody.')),
      tag('div', {class: 'pair'}, tag('div', {}, tag('label', {for: 'clips'}, `How many (${fewest} to ${most})`), number), tag('div', {}, tag('label', {for: 'title'}, 'Name'), name)),
      enough ? '' : tag('p', {class: 'warn'}, chosen.length > 1 ? 'Each class needs windows that are labelled with it.' : 'Labelled clips need windows with a yes and windows with a no. Label some more, or take the ranking.'),
      tag('div', {class: 'row'}, tag('button', {class: 'primary big', disabled: !chosen.length || !enough, onclick: () => {
        making_sent = true; send('make', {classes: chosen.map(c => c.name), clips: m.clips, n: m.n, name: m.name}) }}, 'Make exercise'),
        model.room_view ? tag('button', {class: 'big', onclick: () => open(home())}, 'Cancel') : ''),
      tag('small', {class: 'quiet'}, 'A selection of your own becomes an exercise in a notebook: reef.new_exercise("class", rows).')))
  }
  let making_sent = false

  // --- looking at the clips before ---------------------------------------------------------------
  const prepared_clips = new Map()
  function prepared_clip(token, i) {
    if (!prepared_clips.has(i)) prepared_clips.set(i, clip_view({small: true, label: `clip ${i + 1}`}))
    prepared_clips.get(i).show(token, String(i))
    return prepared_clips.get(i)
  }
  function draw_prepare() {
    const room = model.room_view, lobby = room.phase === 'lobby'
    settle(main, tag('section', {class: 'prepare', key: 'prepare'}, tag('div', {class: 'ask'}, tag('h1', {}, room.question),
      tag('p', {class: 'warn'}, 'What is right stands here: not for the wall.')),
      tag('div', {class: 'grid'}, model.prepared.map((c, i) => {
        const small = prepared_clip(room.token, i)
        const choose = tag('select', {'aria-label': `What is right for clip ${i + 1}`, onchange: event => send('settle', {clip: i, right: event.target.value})},
          tag('option', {value: '', selected: !c.right}, 'not known'), room.choices.filter(x => x.answer !== 'unsure').map(x => tag('option', {value: x.answer, selected: x.answer === c.right}, answer_words(x))))
        return tag('figure', {class: 'card'}, small.node, tag('figcaption', {}, tag('b', {}, i + 1), tag('span', {}, c.where)),
          tag('div', {class: 'row'}, choose, tag('small', {class: 'quiet'}, {labels: 'labels', teacher: 'you'}[c.by] ?? ''),
            lobby && room.clips > 1 ? tag('button', {class: 'bare', 'aria-label': `Leave out clip ${i + 1}`, title: 'Leave this clip out', onclick: () => send('leave_out', {clip: i})}, icon('close', 14)) : ''))
      }))))
  }

  // --- gathering ---------------------------------------------------------------------------
  function draw_lobby() {
    const room = model.room_view, here = room.members.filter(m => m.here).length
    const code = model.qr.length ? s('svg', {class: 'qr', viewBox: `-2 -2 ${model.qr[1] + 4} ${model.qr[1] + 4}`, role: 'img', 'aria-label': `QR code of ${model.urls[0]}`},
      s('rect', {x: -2, y: -2, width: model.qr[1] + 4, height: model.qr[1] + 4, fill: '#fff'}), s('path', {d: model.qr[0], fill: '#000'})) : ''
    settle(main, tag('section', {class: 'lobby', key: 'lobby'},
      tag('div', {class: 'way-in'}, model.urls.length ? [code, tag('p', {class: 'url'}, model.urls[0].replace(/^http:\/\//, '').replace(/\/$/, '')),
        model.urls.length > 1 ? tag('small', {class: 'quiet'}, 'or ', model.urls.slice(1).map(u => u.replace(/^http:\/\//, '').replace(/\/$/, '')).join(', or ')) : '',
        tag('p', {class: 'quiet'}, 'Same Wi-Fi as this computer. No account, no internet.')]
        : [tag('h2', {}, 'Only this machine can come in'), tag('p', {class: 'quiet'}, 'To let the room in, serve with --address 0.0.0.0')]),
      tag('div', {class: 'who-is-here'}, tag('h1', {}, room.question), tag('p', {class: 'quiet'}, `${many(room.clips, 'clip')}, everybody the same ones, each alone`),
        tag('p', {class: 'big-number', 'aria-live': 'polite'}, tag('b', {}, count(here)), `${here === 1 ? ' is' : ' are'} here${here < room.members.length ? `, of ${room.members.length} who joined` : ''}`),
        tag('ul', {class: 'chips'}, room.members.map(m => tag('li', {class: m.here ? 'chip' : 'chip away', title: m.here ? null : 'not connected now'}, m.who))))))
  }

  // --- watching ----------------------------------------------------------------------------
  function draw_answers() {
    const room = model.room_view, n = room.members.length
    const rows = [...Array(room.clips).keys()]
    settle(main, tag('section', {class: 'watch', key: 'watch'},
      tag('div', {class: 'card'}, tag('div', {class: 'ask'}, tag('h1', {}, room.question),
        tag('button', {'aria-pressed': String(look.peek), onclick: () => { look.peek = !look.peek; draw(true) },
          title: 'Whoever sees this wall sees the answers, and is no longer blind'}, look.peek ? 'Hide what they answer' : 'Peek at what they answer')),
        tag('div', {class: rows.length > 14 ? 'clip-bars two' : 'clip-bars'}, rows.map(i => tag('div', {class: 'clip-bar'}, tag('span', {class: 'n'}, i + 1),
          look.peek ? answer_bar(room.choices, room.counts_now[i], n)
            : tag('div', {class: 'answer-bar', role: 'img', 'aria-label': `${room.answered[i]} of ${n} answered`}, tag('i', {class: 'part plain', style: {width: `${room.answered[i] / Math.max(1, n) * 100}%`}})),
          tag('span', {class: 'number'}, `${room.answered[i]}/${n}`)))),
        look.peek ? tag('p', {class: 'key'}, room.choices.map(c => tag('span', {}, tag('i', {class: c.style === null ? `swatch part ${c.answer}` : 'swatch part', style: {'--mine': answer_colour(c)}}), answer_sign(c, 15), answer_words(c)))) : ''),
      tag('div', {class: 'card side'},
        tag('p', {class: 'big-number', 'aria-live': 'polite'}, tag('b', {}, `${room.finished}/${n}`), ' have answered all'),
        tag('div', {class: 'figure'}, tag('span', {class: 'quiet'}, 'Agreement so far'), tag('b', {}, room.agreement ? percent(room.agreement.pairs) : '–'),
          tag('small', {}, room.agreement ? 'of pairs of answers are the same' : 'from two answers to a clip on')),
        tag('div', {class: 'ask'}, tag('h2', {}, 'Progress'), tag('button', {'aria-pressed': String(look.names), onclick: () => { look.names = !look.names; draw(true) }}, look.names ? 'Hide names' : 'Show names')),
        tag('ul', {class: 'progress', tabindex: 0, 'aria-label': 'How far each has come'}, [...room.members].sort((a, b) => a.answered - b.answered).map(m => tag('li', {class: m.here ? '' : 'away', title: m.here ? null : 'not connected now'},
          look.names ? tag('span', {class: 'name'}, m.who) : '', tag('span', {class: 'track', role: 'img', 'aria-label': `${m.answered} of ${room.clips} answered`}, tag('i', {style: {width: `${m.answered / room.clips * 100}%`}})))))) ))
  }

  // --- the frame -----------------------------------------------------------------------------
  const home = () => ({lobby: 'join', open: 'answer', discussion: 'discuss'})[model.room_view?.phase] ?? 'make'
  function draw_frame() {
    const room = model.room_view
    settle(title, room ? tag('b', {}, room.name) : 'Workshop', icon('down', 14))
    title.hidden = !model.inside
    const reached = {lobby: 1, open: 2, discussion: 4}[room?.phase] ?? 0
    const names = [['join', 'Join'], ['answer', 'Answer'], ['discuss', 'Discuss'], ['results', 'Results']]
    settle(steps, (model.inside && room ? names.map(([key, words], i) => tag('button', {class: 'step', 'aria-current': key === place ? 'step' : null,
      disabled: i >= reached, onclick: () => open(key)}, tag('span', {class: 'n'}, i + 1), words)) : []))
    const buttons = []
    if (model.inside && room && place !== 'make') {
      if (place === 'prepare') buttons.push(tag('button', {onclick: () => open(home())}, 'Put away'))
      else if (room.phase !== 'discussion') buttons.push(tag('button', {onclick: () => { place = 'prepare'; send('prepare', {on: true}) }}, 'Look at the clips'))
      if (room.phase === 'lobby') buttons.push(tag('button', {class: 'primary', onclick: () => send('start')}, 'Start'))
      else if (room.phase === 'open') buttons.push(tag('button', {class: room.finished >= room.members.length && room.members.length ? 'primary' : 'primary soft', onclick: () => send('reveal')}, 'Reveal'))
      else if (Object.keys(room.told).length < room.clips) buttons.push(tag('button', {onclick: () => send('tell', {})}, 'Show all that is right'))
    }
    settle(act, buttons)
  }
  function draw(fresh = false) {
    const room = model.room_view
    draw_frame()
    if (!model.inside) { if (fresh) draw_code(); return }
    if (!room && place !== 'make') place = 'make'
    if (place === 'make') { if (fresh) draw_make() }
    else if (place === 'prepare') { if (fresh) draw_prepare() }
    else if (place === 'join') draw_lobby()
    else if (place === 'answer') draw_answers()
    else if (place === 'discuss') { settle(main, discuss.node); discuss.draw() }
    else if (place === 'results') { settle(main, results.node); results.draw() }
  }
  function arrived() {
    const room = model.room_view
    if (!room) { draw(true); return }
    const other = room.token !== seen_token, on = room.phase !== seen_phase
    if (other) fetch_all(room.token, room.clips)
    const left_out = other && room.name === seen_name  // the same exercise, a clip fewer
    seen_name = room.name
    if ((other && !left_out && (place !== 'make' || making_sent || seen_token === null)) || (on && !other)) {
      place = home(); making_sent = false; look.peek = false; look.names = false
      discuss.clip.stop()
      seen_token = room.token; seen_phase = room.phase
      draw(true)
      return
    }
    seen_token = room.token; seen_phase = room.phase
    draw()
  }
  model.on('room_view', arrived)
  model.on('prepared', () => { if (place === 'prepare') { if (model.prepared.length) draw(true); else open(home()) } })
  model.on(['made', 'classes'], () => { if (place === 'make') draw(true); else draw_frame() })
  model.on(['urls', 'qr'], () => draw())
  model.on('inside', () => { place = home(); arrived(); draw(true) })
  model.on('notice', () => { if (model.notice?.kind === 'error') making_sent = false })

  model.on('msg:custom', message => { if (message.kind === 'file') keepFile(root, message) })
  function on_key(event) {
    const target = event.composedPath()[0]
    if (event.ctrlKey || event.metaKey || event.altKey || place !== 'discuss') return
    if (target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return
    const on_button = target instanceof HTMLElement && target.tagName === 'BUTTON'
    const act = {' ': on_button ? null : () => discuss.clip.toggle(), ArrowRight: () => discuss.step(1), j: () => discuss.step(1),
      ArrowLeft: () => discuss.step(-1), k: () => discuss.step(-1), n: () => { look.names = !look.names; draw() }}[event.key]
    if (!act) return
    event.preventDefault()
    act()
  }
  document.addEventListener('keydown', on_key)
  model.on('remove', () => { document.removeEventListener('keydown', on_key); discuss.clip.stop() })
  document.documentElement.lang = 'en'

  if (!model.inside) {
    let code = null
    try { code = sessionStorage.getItem(CODE) } catch { /* private mode */ }
    if (code) send('enter', {code})
    draw(true)
  } else arrived()
  return root
}

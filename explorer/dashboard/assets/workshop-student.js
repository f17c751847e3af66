// A student's page: join with a name, listen, answer, and afterwards see how it went.

export function render({model, view, el}) {
  const send = sender(model, view)
  const host = el.getRootNode().host ?? el
  const KEY = 'explorer-workshop'
  let me = recall(KEY) ?? {}  // {name, secret, exercise, at, pending: {clip: answer}}
  let at = 0, follows = true, drawn_stage = '', asked_name = false, joining = false
  const pending = new Map(), clip = clip_view()
  const keep = () => remember(KEY, {...me, at, exercise: model.exercise?.token, pending: Object.fromEntries(pending)})

  const title = h('span', {class: 'title'})
  const who = h('span', {class: 'who'})
  const dots = h('nav', {class: 'dots', 'aria-label': 'Clips'})
  const main = h('main', {class: 'stage', tabindex: -1})
  const theme = theme_button(host, () => clip.retheme())
  const root = h('div', {class: 'student'}, h('header', {}, title, who, theme), dots, main, toasts(model, send))
  const lost = watch_connection(model, root)

  // --- joining -----------------------------------------------------------------------------
  function join(name, secret) { joining = true; send('join', {name, secret: secret ?? ''}) }
  function draw_join() {
    const field = keepKeys(h('input', {type: 'text', maxlength: 24, autocomplete: 'nickname', id: 'name', 'aria-label': 'Your name',
      value: me.name ?? '', placeholder: 'your name', enterkeyhint: 'go'}))
    const go = () => { if (field.value.trim()) { me = {}; pending.clear(); asked_name = false; join(field.value) } else field.focus() }
    field.addEventListener('keydown', event => { if (event.key === 'Enter') go() })
    main.replaceChildren(h('section', {class: 'card join'},
      h('h1', {}, 'What do you hear?'),
      h('p', {class: 'quiet'}, 'Everybody here listens to the same few sounds and answers alone. Then you look at the answers together.'),
      h('label', {for: 'name'}, 'Your name'), field,
      h('button', {class: 'primary big', onclick: go}, 'Join'),
      h('small', {}, 'No account. The teacher sees this name beside your answers; a nickname is fine.')))
    setTimeout(() => field.focus(), 50)
  }
  function leave_name() { asked_name = true; clip.stop(); forget(KEY); me = {}; draw(true) }

  // --- waiting -----------------------------------------------------------------------------
  function draw_lobby() {
    const e = model.exercise
    main.replaceChildren(h('section', {class: 'card join'},
      h('h1', {}, `Hello, ${model.who}`),
      e ? h('p', {}, h('b', {}, e.question)) : '',
      h('p', {class: 'quiet'}, e ? `${many(e.clips, 'short sound')}. It begins when the teacher starts it; this page goes on by itself.`
        : 'The teacher has not opened an exercise yet. Stay here: this page goes on by itself.'),
      e ? h('p', {class: 'quiet', 'aria-live': 'polite'}, `${many(e.people, 'person is', 'people are')} here.`) : '',
      h('button', {class: 'big', onclick: beep}, icon('play', 16), 'Test your sound'),
      h('button', {class: 'link', onclick: leave_name}, `Not ${model.who}? Another name`)))
  }
  // Two soft notes made in the browser: whoever hears them will hear the clips.
  function beep() {
    const sound = new (window.AudioContext ?? window.webkitAudioContext)()
    for (const [hz, when] of [[440, 0], [660, 0.25]]) {
      const tone = sound.createOscillator(), loud = sound.createGain()
      tone.frequency.value = hz
      loud.gain.setValueAtTime(0, sound.currentTime + when)
      loud.gain.linearRampToValueAtTime(0.25, sound.currentTime + when + 0.03)
      loud.gain.linearRampToValueAtTime(0, sound.currentTime + when + 0.22)
      tone.connect(loud).connect(sound.destination)
      tone.start(sound.currentTime + when); tone.stop(sound.currentTime + when + 0.24)
    }
    setTimeout(() => sound.close(), 900)
  }

  // --- a clip ------------------------------------------------------------------------------
  const answer_of = number => pending.get(number) ?? model.now[number] ?? null
  const told = () => model.exercise?.told ?? {}
  const talking = () => model.exercise?.phase === 'discussion'
  const n_clips = () => model.exercise?.clips ?? 0
  const said = answer => answer ? answer_words({answer}) : ''
  const is_told = number => String(number) in told()

  function answer(choice) {
    if (is_told(at) || !model.exercise) return
    pending.set(at, choice)
    keep()
    send('answer', {clip: at, answer: choice})
    draw_answers(); draw_dots()
  }
  function go(number, by_hand = true) {
    if (number < 0 || number > n_clips()) return
    if (by_hand && talking()) follows = number === model.exercise.at
    at = number
    keep()
    draw(true)
  }
  const question = h('h1', {class: 'question'})
  const nth = h('p', {class: 'nth', 'aria-live': 'polite'})
  const answers = h('div', {class: 'answers', role: 'group', 'aria-label': 'Your answer'})
  const after = h('div', {class: 'after'})
  const next = h('div', {class: 'next'})
  const clip_stage = h('section', {class: 'listen'}, h('div', {class: 'ask'}, question, nth), clip.node, answers, after, next)

  function draw_clip() {
    if (clip_stage.parentNode !== main || main.children.length > 1) main.replaceChildren(clip_stage)
    const e = model.exercise
    clip.show(e.token, String(at))
    question.textContent = e.question
    nth.replaceChildren(`Clip ${at + 1} of ${e.clips}`, talking() ? h('span', {class: 'quiet'}, ` · ${e.where[at]}`) : '')
    draw_answers()
  }
  function draw_answers() {
    const e = model.exercise, mine = answer_of(at), open = !is_told(at)
    const right = told()[String(at)] ?? ''
    const now = talking() ? e.counts_now[at] : null
    answers.classList.toggle('many', e.choices.length > 4)
    answers.replaceChildren(...e.choices.map((c, i) => {
      const chosen = mine === c.answer, correct = right === c.answer
      const words = [h('span', {class: 'words'}, answer_words(c)),
        now ? h('span', {class: 'number'}, now[i]) : h('kbd', {'aria-hidden': 'true'}, c.key)]
      return h('button', {class: `answer${correct ? ' right' : ''}`, 'aria-pressed': String(chosen), disabled: !open, 'data-answer': c.answer,
        'aria-label': now ? `${answer_words(c)}: ${now[i]} of ${sum(now)}${chosen ? ', your answer' : ''}${correct ? ', right' : ''}` : answer_words(c),
        style: {'--mine': answer_colour(c)}, onclick: () => answer(c.answer)},
        now ? h('i', {class: 'share', style: {width: `${now[i] / Math.max(1, sum(now)) * 100}%`}}) : '',
        answer_sign(c), ...words, correct ? h('span', {class: 'tick'}, icon('yes', 16)) : '')
    }))
    draw_after()
    draw_next()
  }
  function draw_after() {
    const e = model.exercise
    if (!talking()) {
      const state = pending.has(at) ? 'saving …' : model.now[at] ? 'saved; you can change it' : ''
      after.replaceChildren(h('small', {class: 'saved', 'aria-live': 'polite'}, state))
      return
    }
    const right = told()[String(at)], first = model.first[at], mine = model.now[at]
    const lines = []
    if (right) {
      const good = first === right
      lines.push(h('p', {class: good ? 'verdict good' : 'verdict'}, icon(good ? 'yes' : first ? 'close' : 'unsure', 18),
        good ? 'You had it right' : first ? `You said ${said(first)}; right is ${said(right)}` : `Right is ${said(right)}`))
      if (!good && mine === right && first) lines.push(h('p', {class: 'quiet'}, 'You came to it in the discussion.'))
    } else if (is_told(at)) lines.push(h('p', {class: 'verdict'}, 'Nobody knows what is right here.'))
    else lines.push(h('p', {class: 'quiet'}, 'What does your neighbour say, and why? You may change your answer.'))
    const total = sum(e.counts[at])
    if (total > 1) lines.push(h('p', {class: 'quiet'}, e.disagreement[at] === 0 ? 'All said the same before.'
      : `${percent(e.disagreement[at])} of pairs differed before you talked about it.`))
    after.replaceChildren(...lines, ...why_of(e, at))
  }
  function why_of(e, number) {
    const why = e.why?.[String(number)]
    if (!why?.length) return []
    return [h('h2', {}, 'Why? Of the known sounds these are most like it'), h('div', {class: 'examples'}, why.map(x => {
      const small = clip_view({small: true, label: `${x.label}, ${x.where}`})
      small.show(e.token, x.name)
      small.on_play(() => clip.stop())
      return h('figure', {}, small.node, h('figcaption', {}, h('b', {}, x.label), h('span', {}, x.where)))
    }))]
  }
  function draw_next() {
    const e = model.exercise, last = at === e.clips - 1, open = e.phase === 'open'
    const unanswered = [...Array(e.clips).keys()].filter(i => answer_of(i) === null)
    const forward = last ? (open ? 'Done' : 'How it went') : 'Next'
    next.replaceChildren(
      h('button', {class: 'big', disabled: at === 0, onclick: () => go(at - 1), 'aria-label': 'Previous clip'}, icon('left', 18)),
      h('button', {class: answer_of(at) && open ? 'primary big wide' : 'big wide', onclick: () => go(at + 1)}, forward, icon('right', 18)))
    if (!follows && talking()) next.append(h('button', {class: 'link', onclick: () => { follows = true; go(e.at, false) }},
      `The class is at clip ${e.at + 1}`))
    else if (open && !unanswered.length && !last) next.append(h('button', {class: 'link', onclick: () => go(e.clips)}, 'All answered: done'))
  }

  // --- the end: done, or how it went -----------------------------------------------------------
  function draw_end() {
    const e = model.exercise
    clip.stop()
    if (!talking()) {
      const left = [...Array(e.clips).keys()].filter(i => answer_of(i) === null)
      main.replaceChildren(h('section', {class: 'card join'},
        h('h1', {}, left.length ? `${many(left.length, 'clip')} without an answer` : 'All answered'),
        left.length ? h('button', {class: 'primary big', onclick: () => go(left[0])}, `Go to clip ${left[0] + 1}`)
          : h('p', {class: 'quiet'}, 'You can go back and change answers until the teacher reveals them.'),
        h('p', {class: 'quiet', 'aria-live': 'polite'}, `${count(e.finished)} of ${many(e.people, 'person has', 'people have')} answered everything.`),
        h('button', {class: 'big', onclick: () => go(0)}, icon('left', 16), 'Back to clip 1')))
      return
    }
    const known = Object.entries(told()).filter(([, right]) => right)
    const hits = list => known.filter(([c, right]) => list[Number(c)] === right).length
    const before = hits(model.first), now = hits(model.now)
    main.replaceChildren(h('section', {class: 'card went'},
      h('h1', {}, known.length ? `${before} of ${known.length} right` : 'What the class said'),
      known.length ? h('p', {class: 'quiet'}, now !== before ? `After the discussion ${now} of ${known.length}. `
        : '', known.length < e.clips ? `${e.clips - known.length} not told yet.` : '') : '',
      h('table', {}, h('thead', {}, h('tr', {}, h('th', {}, 'clip'), h('th', {}, 'you'), h('th', {}, 'the class'), h('th', {}, 'right'))),
        h('tbody', {}, [...Array(e.clips).keys()].map(i => {
          const right = told()[String(i)], mine = model.first[i]
          return h('tr', {class: right && mine ? mine === right ? 'hit' : 'miss' : ''},
            h('td', {}, h('button', {class: 'link', onclick: () => go(i), 'aria-label': `Clip ${i + 1}`}, i + 1)),
            h('td', {}, mine ? said(mine) : '–', right && mine ? icon(mine === right ? 'yes' : 'close', 13) : ''),
            h('td', {}, answer_bar(e.choices, e.counts[i])), h('td', {}, said(right) || (is_told(i) ? 'not known' : '')))
        }))),
      h('button', {class: 'big', onclick: () => go(0)}, icon('left', 16), 'Back to the clips'),
      e.at < e.clips && !follows ? h('button', {class: 'link', onclick: () => { follows = true; go(e.at, false) }}, `The class is at clip ${e.at + 1}`) : ''))
  }

  // --- all of it -----------------------------------------------------------------------------
  function draw_dots() {
    const e = model.exercise
    const on = e && model.who && e.phase !== 'lobby' && !asked_name
    dots.hidden = !on
    if (!on) return
    dots.replaceChildren(...[...Array(e.clips).keys()].map(i => {
      const mine = answer_of(i), right = told()[String(i)]
      const state = right && model.first[i] ? (model.first[i] === right ? ' hit' : ' miss') : mine ? ' done' : ''
      return h('button', {class: `dot${state}`, 'aria-current': i === at ? 'step' : null, onclick: () => go(i),
        'aria-label': `Clip ${i + 1}${state === ' hit' ? ', right' : state === ' miss' ? ', wrong' : mine ? ', answered' : ''}`},
        state === ' hit' ? icon('yes', 11) : state === ' miss' ? icon('close', 11) : i + 1)
    }))
  }
  function draw(fresh = false) {
    const e = model.exercise
    title.textContent = e?.name ?? 'Workshop'
    who.textContent = asked_name ? '' : model.who
    const stage = !model.who || asked_name ? 'join' : !e || e.phase === 'lobby' ? 'lobby' : at >= e.clips ? 'end' : 'clip'
    draw_dots()
    if (stage === 'join') { if (fresh || drawn_stage !== 'join') { if (!joining) draw_join() } }
    else if (stage === 'lobby') draw_lobby()
    else if (stage === 'end') draw_end()
    else draw_clip()
    if (stage !== drawn_stage) main.scrollTop = 0
    drawn_stage = joining && stage === 'join' ? '' : stage
  }
  function arrived() {
    const e = model.exercise
    if (!e) return
    // Another exercise begins at its first clip; after a reload she is where she was.
    if (me.exercise !== e.token) { pending.clear(); at = 0; follows = true }
    else if (Number.isInteger(me.at)) at = Math.min(me.at, e.clips)
    me.exercise = e.token
    if (e.phase !== 'lobby') fetch_all(e.token, e.clips)
  }
  let token = null, phase = null, pointed = null
  model.on('exercise', () => {
    const e = model.exercise
    if (e && (e.token !== token || e.phase !== phase)) {
      const other = token !== null && e.token !== token
      if (other) me.at = 0
      if (e.token !== token || phase === 'lobby') arrived()
      if (e.phase === 'discussion' && phase === 'open') { follows = true; pointed = null }
      token = e.token; phase = e.phase
    }
    if (e && talking() && e.at !== pointed) {
      pointed = e.at
      if (follows) { at = e.at; keep() }
    }
    draw()
  })
  model.on(['who', 'first', 'now'], () => draw())
  model.on('notice', () => { if (model.notice?.kind === 'error' && joining) { joining = false; me = {}; draw(true) } })

  model.on('msg:custom', message => {
    if (message.kind === 'joined') {
      joining = false
      me = {...me, name: message.who, secret: message.secret}
      arrived()
      for (const [c, a] of Object.entries(me.pending ?? {})) {
        if (is_told(Number(c)) || model.exercise?.phase === 'lobby') continue
        pending.set(Number(c), a)
        send('answer', {clip: Number(c), answer: a})
      }
      me.pending = {}
      if (model.exercise) { token = model.exercise.token; phase = model.exercise.phase; pointed ??= model.exercise.at ?? null }
      keep()
      if (/\/$/.test(location.pathname)) history.replaceState(null, '', 'exercise')
      draw(true)
    }
    if (message.kind === 'kept' || message.kind === 'refused') {
      if (pending.get(message.clip) === message.answer) pending.delete(message.clip)
      keep()
      if (drawn_stage === 'clip') draw_answers()
      draw_dots()
    }
    if (message.kind === 'file') return
  })

  function on_key(event) {
    const target = event.composedPath()[0]
    if (event.ctrlKey || event.metaKey || event.altKey || drawn_stage === 'join') return
    if (target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return
    const on_button = target instanceof HTMLElement && target.tagName === 'BUTTON'
    const e = model.exercise
    if (!e || e.phase === 'lobby') return
    const choice = drawn_stage === 'clip' ? e.choices.find(c => c.key === event.key.toLowerCase()) : null
    const act = choice ? () => answer(choice.answer) : {
      ' ': on_button || drawn_stage !== 'clip' ? null : () => clip.toggle(),
      ArrowRight: () => go(at + 1), j: () => go(at + 1), Enter: on_button ? null : () => go(at + 1),
      ArrowLeft: () => go(at - 1), k: () => go(at - 1),
    }[event.key]
    if (!act) return
    event.preventDefault()
    act()
  }
  document.addEventListener('keydown', on_key)
  model.on('remove', () => { document.removeEventListener('keydown', on_key); clip.stop() })
  document.documentElement.lang = 'en'

  if (model.exercise) { token = model.exercise.token; phase = model.exercise.phase }
  if (me.name && me.secret) join(me.name, me.secret)
  draw(true)
  return root
}

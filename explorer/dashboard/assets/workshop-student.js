// A student's page: join with a name, listen, answer, and afterwards see how it went.

export function render({model, view, el}) {
  const send = sender(model, view)
  const host = el.getRootNode().host ?? el
  const KEY = 'explorer-workshop'
  let me = recall(KEY) ?? {}  // {name, secret, exercise, at, pending: {clip: answer}}
  let at = 0, follows = true, drawn_stage = '', asked_name = false, joining = false
  const pending = new Map(), clip = clip_view(), why = why_view(clip, 'Why? Of the known sounds these are most like it')
  const keep = () => remember(KEY, {...me, at, exercise: model.exercise?.token, pending: Object.fromEntries(pending)})

  const title = tag('span', {class: 'title'})
  const who = tag('span', {class: 'who'})
  const dots = tag('nav', {class: 'dots', 'aria-label': 'Clips'})
  const main = tag('main', {class: 'stage', tabindex: -1})
  const theme = theme_button(host, () => clip.retheme())
  const root = tag('div', {class: 'student'}, tag('header', {}, title, who, theme), dots, main, toasts(model, send))
  const look = watch_connection(model, root)
  const UNHEARD_MS = 8000, failed = new Set()  // what the server could not write down

  // --- joining -----------------------------------------------------------------------------
  function join(name, secret) { joining = true; send('join', {name, secret: secret ?? ''}) }
  function draw_join() {
    const field = keepKeys(tag('input', {type: 'text', maxlength: 24, autocomplete: 'nickname', id: 'name', 'aria-label': 'Your name',
      value: me.name ?? '', placeholder: 'your name', enterkeyhint: 'go'}))
    const go = () => { if (field.value.trim()) { me = {}; pending.clear(); asked_name = false; join(field.value) } else field.focus() }
    field.addEventListener('keydown', event => { if (event.key === 'Enter') go() })
    main.replaceChildren(tag('section', {class: 'card join'},
      tag('h1', {}, 'What do you hear?'),
      tag('p', {class: 'quiet'}, 'Everybody here listens to the same few sounds and answers alone. Then you look at the answers together.'),
      tag('label', {for: 'name'}, 'Your name'), field,
      tag('button', {class: 'primary big', onclick: go}, 'Join'),
      tag('small', {}, 'No account. The teacher sees this name beside your answers; a nickname is fine.')))
    setTimeout(() => field.focus(), 50)
  }
  function leave_name() { asked_name = true; clip.stop(); forget(KEY); me = {}; draw(true) }

  // --- waiting -----------------------------------------------------------------------------
  function draw_lobby() {
    const e = model.exercise
    settle(main, tag('section', {class: 'card join', key: 'lobby'},
      tag('h1', {}, `Hello, ${model.who}`),
      e ? tag('p', {}, tag('b', {}, e.question)) : '',
      tag('p', {class: 'quiet'}, e ? `${many(e.clips, 'short sound')}. It begins when the teacher starts it; this page goes on by itself.`
        : 'The teacher has not opened an exercise yet. Stay here: this page goes on by itself.'),
      e ? tag('p', {class: 'quiet', 'aria-live': 'polite'}, `${many(e.people, 'person is', 'people are')} here.`) : '',
      tag('button', {class: 'big', onclick: beep}, icon('play', 16), 'Test your sound'),
      tag('button', {class: 'link', onclick: leave_name}, `Not ${model.who}? Another name`)))
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
    failed.delete(at)
    confirm(at, choice)
    draw_answers(); draw_dots()
  }
  const confirm = (number, choice) => setTimeout(() => { if (pending.get(number) === choice && !failed.has(number)) look(true) }, UNHEARD_MS)
  function go(number, by_hand = true) {
    if (number < 0 || number > n_clips()) return
    if (by_hand && talking()) follows = number === model.exercise.at
    at = number
    keep()
    draw(true)
  }
  const question = tag('h1', {class: 'question'})
  const nth = tag('p', {class: 'nth', 'aria-live': 'polite'})
  const answers = tag('div', {class: 'answers', role: 'group', 'aria-label': 'Your answer'})
  const after = tag('div', {class: 'after'})
  const next = tag('div', {class: 'next'})
  const clip_stage = tag('section', {class: 'listen', fixed: 'listen'}, tag('div', {class: 'ask'}, question, nth), clip.node, answers, after, why.node, next)

  function draw_clip() {
    settle(main, clip_stage)
    const e = model.exercise
    clip.show(e.token, String(at))
    question.textContent = e.question
    settle(nth, `Clip ${at + 1} of ${e.clips}`, talking() ? tag('span', {class: 'quiet'}, ` · ${e.where[at]}`) : '')
    draw_answers()
  }
  function draw_answers() {
    const e = model.exercise, mine = answer_of(at), open = !is_told(at)
    const right = told()[String(at)] ?? ''
    const now = talking() ? e.counts_now[at] : null
    answers.classList.toggle('many', e.choices.length > 4)
    settle(answers, ...e.choices.map((c, i) => {
      const chosen = mine === c.answer, correct = right === c.answer
      const words = [tag('span', {class: 'words'}, answer_words(c)), ' ',
        now ? tag('span', {class: 'number'}, now[i]) : tag('kbd', {'aria-hidden': 'true'}, c.key)]
      return tag('button', {class: `answer${correct ? ' right' : ''}`, 'aria-pressed': String(chosen), disabled: !open, 'data-answer': c.answer,
        'aria-label': now ? `${answer_words(c)} ${now[i]} of ${sum(now)}${chosen ? ', your answer' : ''}${correct ? ', right' : ''}` : answer_words(c),
        style: {'--mine': answer_colour(c)}, onclick: () => answer(c.answer)},
        now ? tag('i', {class: 'share', style: {width: `${now[i] / Math.max(1, sum(now)) * 100}%`}}) : '',
        answer_sign(c), ...words, correct ? tag('span', {class: 'tick'}, icon('yes', 16)) : '')
    }))
    draw_after()
    draw_next()
  }
  function draw_after() {
    const e = model.exercise
    if (!talking()) {
      why.show('', 0, [])
      const state = pending.has(at) ? failed.has(at) ? 'not saved' : 'saving …' : model.now[at] ? 'saved; you can change it' : ''
      settle(after, tag('small', {class: 'saved', 'aria-live': 'polite'}, state))
      return
    }
    const right = told()[String(at)], first = model.first[at], mine = model.now[at]
    const lines = []
    if (right) {
      const good = first === right
      lines.push(tag('p', {class: good ? 'verdict good' : 'verdict'}, icon(good ? 'yes' : first ? 'close' : 'unsure', 18),
        good ? 'You had it right' : first ? `You said ${said(first)}; right is ${said(right)}` : `Right is ${said(right)}`))
      if (!good && mine === right && first) lines.push(tag('p', {class: 'quiet'}, 'You came to it in the discussion.'))
    } else if (is_told(at)) lines.push(tag('p', {class: 'verdict'}, 'Nobody knows what is right here.'))
    else lines.push(tag('p', {class: 'quiet'}, 'What does your neighbour say, and why? You may change your answer.'))
    const total = sum(e.counts[at])
    if (total > 1) lines.push(tag('p', {class: 'quiet'}, e.disagreement[at] === 0 ? 'All said the same before.'
      : `${percent(e.disagreement[at])} of pairs differed before you talked about it.`))
    settle(after, lines)
    why.show(e.token, at, e.why?.[String(at)])
  }
  function draw_next() {
    const e = model.exercise, last = at === e.clips - 1, open = e.phase === 'open'
    const unanswered = [...Array(e.clips).keys()].filter(i => answer_of(i) === null)
    const forward = last ? (open ? 'Done' : 'How it went') : 'Next'
    settle(next,
      tag('button', {class: 'big', disabled: at === 0, onclick: () => go(at - 1), 'aria-label': 'Previous clip'}, icon('left', 18)),
      tag('button', {class: answer_of(at) && open ? 'primary big wide' : 'big wide', onclick: () => go(at + 1)}, forward, icon('right', 18)),
      !follows && talking() ? tag('button', {class: 'link', onclick: () => { follows = true; go(e.at, false) }}, `The class is at clip ${e.at + 1}`)
        : open && !unanswered.length && !last ? tag('button', {class: 'link', onclick: () => go(e.clips)}, 'All answered: done') : '')
  }

  // --- the end: done, or how it went -----------------------------------------------------------
  function draw_end() {
    const e = model.exercise
    clip.stop()
    if (!talking()) {
      const left = [...Array(e.clips).keys()].filter(i => answer_of(i) === null)
      settle(main, tag('section', {class: 'card join', key: 'done'},
        tag('h1', {}, left.length ? `${many(left.length, 'clip')} without an answer` : 'All answered'),
        left.length ? tag('button', {class: 'primary big', onclick: () => go(left[0])}, `Go to clip ${left[0] + 1}`)
          : tag('p', {class: 'quiet'}, 'You can go back and change answers until the teacher reveals them.'),
        tag('p', {class: 'quiet', 'aria-live': 'polite'}, `${count(e.finished)} of ${many(e.people, 'person has', 'people have')} answered everything.`),
        tag('button', {class: 'big', onclick: () => go(0)}, icon('left', 16), 'Back to clip 1')))
      return
    }
    const known = Object.entries(told()).filter(([, right]) => right)
    const hits = list => known.filter(([c, right]) => list[Number(c)] === right).length
    const before = hits(model.first), now = hits(model.now)
    settle(main, tag('section', {class: 'card went', key: 'went'},
      tag('h1', {}, known.length && model.first.some(Boolean) ? `${before} of ${known.length} right` : 'What the class said'),
      known.length ? tag('p', {class: 'quiet'}, now !== before ? `After the discussion ${now} of ${known.length}. `
        : '', known.length < e.clips ? `${e.clips - known.length} not told yet.` : '') : '',
      tag('table', {}, tag('thead', {}, tag('tr', {}, tag('th', {}, 'clip'), tag('th', {}, 'you'), tag('th', {}, 'the class'), tag('th', {}, 'right'))),
        tag('tbody', {}, [...Array(e.clips).keys()].map(i => {
          const right = told()[String(i)], mine = model.first[i]
          return tag('tr', {class: right && mine ? mine === right ? 'hit' : 'miss' : ''},
            tag('td', {}, tag('button', {class: 'link', onclick: () => go(i), 'aria-label': `Clip ${i + 1}`}, i + 1)),
            tag('td', {}, mine ? said(mine) : '–', right && mine ? icon(mine === right ? 'yes' : 'close', 13) : ''),
            tag('td', {}, answer_bar(e.choices, e.counts[i])), tag('td', {}, said(right) || (is_told(i) ? 'not known' : '')))
        }))),
      tag('button', {class: 'big', onclick: () => go(0)}, icon('left', 16), 'Back to the clips'),
      e.at < e.clips && !follows ? tag('button', {class: 'link', onclick: () => { follows = true; go(e.at, false) }}, `The class is at clip ${e.at + 1}`) : ''))
  }

  // --- all of it -----------------------------------------------------------------------------
  function draw_dots() {
    const e = model.exercise
    const on = e && model.who && e.phase !== 'lobby' && !asked_name
    dots.hidden = !on
    if (!on) return
    settle(dots, ...[...Array(e.clips).keys()].map(i => {
      const mine = answer_of(i), right = told()[String(i)]
      const state = right && model.first[i] ? (model.first[i] === right ? ' hit' : ' miss') : mine ? ' done' : ''
      return tag('button', {class: `dot${state}`, 'aria-current': i === at ? 'step' : null, onclick: () => go(i),
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
    if (message.kind === 'lost') failed.add(message.clip)
    if (message.kind === 'kept' || message.kind === 'refused') {
      if (pending.get(message.clip) === message.answer) pending.delete(message.clip)
      keep()
      if (drawn_stage === 'clip') draw_answers()
      draw_dots()
    }
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

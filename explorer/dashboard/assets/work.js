// What can be done with the recordings: embed them, listen for faults, add a folder. Each shows its
// bar in its own place while it runs, and says what a stop does.

const much = seconds => seconds < 90 ? `about ${Math.max(1, Math.round(seconds))} s` : seconds < 5400 ? `about ${Math.round(seconds / 60)} min` : `about ${(seconds / 3600).toFixed(1)} h`

export function render({model, view}) {
  const send = sender(model, view)
  const body = h('div', {class: 'body'})
  const root = h('section', {class: 'card panel', 'aria-label': 'What can be done'}, body)
  let chosen = null, overlap = 1, choosing = false, adding = false, others = false
  const typed = {folder: '', timezone: null, pattern: ''}

  const bar = (kind, job) => h('div', {class: 'running'}, job_bar(job.title, job),
    h('div', {class: 'line'}, h('span', {}, h('b', {}, percent(job.share)), ' ', job.words, job.left_s ? ` · ${left_words(job.left_s)}` : ''),
      model.stopper ? h('button', {class: 'stop', disabled: job.words === 'stopping', onclick: () => send('stop', {kind}),
        title: 'What is done is kept; press again later to go on'}, icon('stop', 11), job.words === 'stopping' ? 'Stopping' : 'Stop') : ''),
    h('small', {}, 'It goes on when you leave this page. Stopped, it keeps what is done.'))
  const part = (name, state, ...rest) => h('section', {class: 'part', 'aria-label': name}, h('div', {class: 'top'}, h('h3', {}, name), h('span', {class: 'state'}, state)), ...rest)
  const command = text => h('code', {class: 'command', tabindex: 0}, text)

  // --- embed -----------------------------------------------------------------------------------
  function picked() {
    const ready = model.encoders.filter(e => e.ready)
    return ready.find(e => e.name === chosen) ?? ready.find(e => e.name === 'birdnet') ?? ready[0]
  }
  function chooser() {
    const ready = model.encoders.filter(e => e.ready), missing = model.encoders.filter(e => !e.ready), one = picked()
    if (!model.encoders.length) return h('p', {class: 'quiet'}, 'Looking for encoders …')
    const windows = one ? one.windows * overlap : 0
    const list = h('div', {class: 'encoders', role: 'radiogroup', 'aria-label': 'Encoder'}, ready.map(e => h('label', {class: e === one ? 'encoder on' : 'encoder'},
      h('input', {type: 'radio', name: 'encoder', value: e.name, checked: e === one, onchange: () => { chosen = e.name; draw() }}),
      h('span', {}, h('b', {}, e.name), ' ', h('small', {}, e.version), h('small', {class: 'about'}, e.words), h('small', {class: 'about', title: e.about}, `Licence: ${e.licence}`)))))
    const overlaps = h('label', {class: 'overlap'}, h('span', {}, 'Overlap'), h('select', {'aria-label': 'Overlap of windows', onchange: event => { overlap = Number(event.target.value); draw() }},
      [[1, 'none: quickest'], [2, 'half: no call is cut in two'], [4, 'three quarters: finest in time']].map(([value, label]) => h('option', {value, selected: value === overlap}, label))))
    const length = one?.per_s ? much(windows / one.per_s) : null
    return h('div', {class: 'chooser'}, list,
      missing.length ? h('button', {class: 'link small', 'aria-expanded': String(others), onclick: () => { others = !others; draw() }}, others ? 'Hide those that are not installed' : `${missing.length} more can be installed`) : '',
      others ? h('ul', {class: 'missing'}, missing.map(e => h('li', {}, h('b', {}, e.name), h('small', {}, ` ${e.words}. Licence: ${e.licence}. ${e.how_to_get}`)))) : '',
      one ? overlaps : '',
      h('p', {class: 'quiet'}, one ? `${count(windows)} windows of ${one.name}. ` : '', length ? `${length[0].toUpperCase()}${length.slice(1)} at the speed that it had here last.` : one ? 'How long it takes is told after the first seconds.' : ''),
      h('div', {class: 'two'}, h('button', {class: 'primary embed', disabled: !one || !model.recordings, onclick: () => { choosing = false; send('embed', {encoder: one.name, overlap}) }}, 'Embed'),
        model.runs.some(r => r.windows) ? h('button', {onclick: () => { choosing = false; draw() }}, 'Cancel') : ''))
  }
  function embedding() {
    const job = model.jobs.embed
    const done = model.runs.filter(r => r.windows)
    const state = !model.recordings ? 'nothing to embed yet' : !model.runs.length ? 'not yet' : ''
    const runs = model.runs.filter(r => r.windows || job).map(r => h('div', {class: 'run'},
      h('span', {class: 'run-name', title: r.run}, r.run),
      h('small', {}, r.windows >= r.due ? `all ${count(r.windows)} windows` : `${count(r.windows)} of ${count(r.due)} windows`),
      r.run === model.run ? h('small', {class: 'now'}, 'looked at') : r.windows && r.run !== model.fresh && !job ? h('button', {class: 'link', onclick: () => send('open', {run: r.run})}, 'look at it') : '',
      r.windows < r.due && !job && model.owner && r.plain ? h('button', {class: 'link', onclick: () => send('go_on', {run: r.run})}, 'go on') : ''))
    const fresh = model.fresh && !job && model.runs.find(r => r.run === model.fresh && r.windows)
      ? h('div', {class: 'two'}, h('button', {class: 'primary open', onclick: () => send('open', {run: model.fresh})}, 'Open the map'),
        h('small', {}, model.fresh === model.run ? 'There are more windows than you look at.' : 'There is something to see.')) : ''
    if (job) return part('Embed', job.title, bar('embed', job), runs)
    if (!model.owner) return part('Embed', state, runs, fresh, done.length ? '' : h('p', {class: 'quiet'}, 'Embedding takes owner rights: ask whoever runs this server.'))
    if (!model.recordings) return part('Embed', state)
    if (choosing || !model.runs.some(r => r.windows)) {
      const first = !model.runs.some(r => r.windows)
      return part('Embed', state, runs, fresh, first ? h('p', {class: 'lead'}, 'An encoder listens to all recordings once and turns every few seconds of sound into numbers that can be compared. Then there is a map.') : '', chooser())
    }
    return part('Embed', state, runs, fresh, h('button', {class: 'link small', onclick: () => { choosing = true; draw() }}, 'Embed with another encoder or overlap'))
  }

  // --- health ----------------------------------------------------------------------------------
  function health() {
    const job = model.jobs.health, due = model.recordings - model.measured
    if (job) return part('Listen for faults', '', bar('health', job))
    const state = !model.recordings ? '' : due === 0 ? `all ${count(model.recordings)} recordings measured` : model.measured ? `${count(model.measured)} of ${count(model.recordings)} measured` : 'not yet'
    return part('Listen for faults', state, due && model.owner ? h('div', {class: 'two'}, h('button', {class: 'measure', onclick: () => send('measure')}, model.measured ? 'Go on' : 'Measure'),
      h('small', {}, 'Clipping, silence, dropouts, dead microphones. Some hundred times faster than listening.')) : '')
  }

  // --- add -------------------------------------------------------------------------------------
  function add() {
    const job = model.jobs.add
    if (job) return part('Add recordings', job.title, bar('add', job))
    if (!model.owner) return part('Add recordings', 'takes owner rights')
    if (!adding && model.recordings) return part('Add recordings', '', h('button', {class: 'link small adds', onclick: () => { adding = true; draw(); body.querySelector('input.folder')?.focus() }}, 'Add a folder …'))
    if (model.why_not) {
      return part('Add recordings', '', h('p', {class: 'quiet'}, model.why_not), command(model.commands.add),
        model.recordings ? h('button', {onclick: () => { adding = false; draw() }}, 'Close') : '')
    }
    const field = (name, label, hint, extra = {}) => keepKeys(h('input', {type: 'text', class: name, 'aria-label': label, placeholder: hint, value: typed[name] ?? model.timezone, autocomplete: 'off', spellcheck: 'false',
      oninput: event => { typed[name] = event.target.value }, onkeyup: event => { if (event.key === 'Enter') go() }, ...extra}))
    const go = () => { if (typed.folder.trim()) { adding = false; send('add', {folder: typed.folder, timezone: typed.timezone ?? '', site_pattern: typed.pattern}); typed.folder = ''; draw() } }
    return part('Add recordings', '', h('p', {class: 'quiet'}, 'The folder is read where it is, with all folders in it, and never written to.'),
      h('div', {class: 'form'}, field('folder', 'Folder of recordings', '/media/card/reef'), field('timezone', 'Zone of start times that carry none', 'zone of the clocks, e.g. Australia/Brisbane'),
        field('pattern', 'Regular expression for the site', 'site from the name, e.g. (?P<site>[^/]+)/'),
        h('div', {class: 'two'}, h('button', {class: 'primary', onclick: go}, 'Add'), model.recordings ? h('button', {onclick: () => { adding = false; draw() }}, 'Cancel') : '')))
  }

  function draw() {
    const active = root.getRootNode().activeElement, focus = active?.tagName === 'INPUT' && active.type === 'text' ? [active.className, active.selectionStart] : null
    body.replaceChildren(...(model.recordings ? [embedding(), health(), add()] : [add(), embedding()]))
    if (focus) { const again = body.querySelector(`input.${focus[0]}`); if (again) { again.focus(); again.setSelectionRange(focus[1], focus[1]) } }
  }
  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw() }) } }
  model.on(['recordings', 'runs', 'run', 'fresh', 'encoders', 'measured', 'jobs', 'timezone', 'hours'], soon)
  draw()
  return root
}

// Long work in the top line, on every screen; gone when there is none.

export function render({model, view}) {
  const send = sender(model, view)
  const root = h('div', {class: 'chip', role: 'status'})
  let open = false

  const one = job => h('div', {class: 'job'}, h('div', {class: 'words'}, h('b', {}, job.title), h('small', {}, [job.words, left_words(job.left_s)].filter(Boolean).join(' · '))),
    job_bar(job.title, job), stop(job))
  const stop = job => model.stopper ? h('button', {class: 'bare stop', disabled: job.words === 'stopping', 'aria-label': `Stop: ${job.title}`, title: 'Stop; what is done is kept',
    onclick: () => send('stop', {kind: job.kind})}, icon('stop', 11)) : ''
  function draw() {
    const [first, ...more] = model.jobs
    if (first) {
      root.className = 'chip'
      root.replaceChildren(
        h('button', {class: 'bare what', 'aria-expanded': String(open), title: first.words, onclick: () => { open = !open; draw() }},
          h('span', {class: 'title'}, first.title), h('span', {class: 'share'}, percent(first.share)), h('span', {class: 'left'}, left_words(first.left_s)), more.length ? h('span', {class: 'left'}, `+${more.length}`) : ''),
        job_bar(first.title, first), stop(first), open ? h('div', {class: 'all'}, model.jobs.map(one)) : '')
    } else if (model.fresh) {
      open = false
      root.className = 'chip news'
      root.replaceChildren(h('span', {}, model.grown ? 'There are more windows now.' : 'There are new embeddings.'),
        h('button', {class: 'primary', onclick: () => send('open')}, 'Open the map'),
        h('button', {class: 'bare', 'aria-label': 'Later', title: 'Later', onclick: () => send('later')}, icon('close', 12)))
    } else { open = false; root.replaceChildren() }
  }
  let asked = false
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw() }) } }
  model.on(['jobs', 'fresh', 'grown'], soon)
  document.addEventListener('pointerdown', event => { if (open && !event.composedPath().includes(root)) { open = false; draw() } })
  draw()
  return root
}

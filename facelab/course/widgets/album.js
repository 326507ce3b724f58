// Groups of faces as rows of thumbnails. The kernel says what there is and makes every change; here are only the
// ticks, names that are being typed, and the thumbnails, which come as messages and are part of no state.

function make(kind, attributes = {}, parent = null, text = "") {
  const node = document.createElement(kind)
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "boolean") node.toggleAttribute(key, value)
    else node.setAttribute(key, value)
  }
  node.textContent = text
  parent?.append(node)
  return node
}

let views = 0

function render({ model, el }) {
  const names = `facelab-album-names-${views++}` // a list is found by its id, which the page shares
  const texts = model.get("texts")
  // In the course's language; {0}, {1}, … are places for values.
  const say = (text, ...values) => (texts[text] ?? text).replace(/\{(\d)\}/g, (_, place) => values[place])
  const root = make("div", { class: "facelab-album" }, el)
  root.dataset.lmSuppressShortcuts = "true" // keys are ours, not JupyterLab's
  root.addEventListener("keydown", (event) => event.key !== "Tab" && event.stopPropagation())

  const urls = new Map() // row → URL of its thumbnail
  const asked = new Set()
  const faces = new Set() // ticked
  const groups = new Set() // ticked
  const typed = new Map() // group → a name not yet given
  const different = new Set() // pairs that were looked at
  let shown = { groups: [], names: [], suggestions: [], notes: [] }
  let naming = null // the group that is being given its name
  let goOn = null // where the keyboard goes once the answer is here

  const send = (kind, content = {}) => model.send({ kind, ...content })

  // ---- above the groups

  const bar = make("div", { class: "bar", role: "group", "aria-label": say("What to do with what is ticked") }, root)
  function button(text, title, action, parent = bar) {
    const made = make("button", { type: "button", title, class: "jupyter-button" }, parent, text)
    made.addEventListener("click", action)
    return made
  }
  const merge = button(say("Merge"), say("The ticked groups are one person"), () =>
    send("merge", { groups: [...groups] }),
  )
  const split = button(
    say("Split off"),
    say("The ticked faces become a group of their own, or go to the one named here"),
    () => send("split", { rows: [...faces], name: to.value }),
  )
  const label = make("label", { class: "to" }, bar, `${say("to")} `)
  const to = make("input", { type: "text", placeholder: say("a new group"), list: names, size: 14 }, label)
  to.setAttribute("aria-label", say("Split off to the group of this name; empty: a new group"))
  to.addEventListener("keydown", (event) => event.key === "Enter" && split.click())
  const out = button(say("Leave out"), say("The ticked faces and groups are never enrolled"), () =>
    send("leave_out", { rows: [...faces], groups: [...groups] }),
  )
  const undo = button(say("Undo"), say("Take the last change back"), () => send("undo"))
  const untick = button(say("Untick all"), say("Nothing is ticked"), () => {
    faces.clear()
    groups.clear()
    draw()
  })
  const ticked = make("span", { class: "ticked" }, bar)
  const more = make("div", { class: "bar", role: "group", "aria-label": say("The whole album") }, root)
  button(say("Enrol the named"), say("Everybody with a name goes into the gallery"), () => send("enrol"), more)
  button(say("One person twice?"), say("Show groups that are close to each other"), () => send("suggest"), more)
  button(say("Look again"), say("Read the folder again, where files may have been moved"), () => send("look"), more)
  const status = make("div", { role: "status", class: "status" }, root)
  const alert = make("div", { class: "alert", hidden: true }, root)
  const pairs = make("div", { class: "pairs" }, root)
  const list = make("div", { class: "groups" }, root)
  const pager = make("div", { class: "bar pager", role: "navigation", "aria-label": say("Pages of groups") }, root)
  const before = button(say("Previous page"), "", () => send("page", { page: shown.page - 1 }), pager)
  const where = make("span", {}, pager)
  const after = button(say("Next page"), "", () => send("page", { page: shown.page + 1 }), pager)
  const notes = make("details", { hidden: true }, root)
  const known = make("datalist", { id: names }, root)

  const manyFaces = (number) => (number > 1 ? say("{0} faces", number) : say("1 face"))

  function count() {
    const things = []
    if (groups.size) things.push(groups.size > 1 ? say("{0} groups", groups.size) : say("1 group"))
    if (faces.size) things.push(manyFaces(faces.size))
    ticked.textContent = things.length ? say("{0} ticked", things.join(", ")) : ""
    merge.disabled = groups.size < 2
    split.disabled = faces.size === 0
    out.disabled = faces.size + groups.size === 0
    untick.disabled = faces.size + groups.size === 0
    undo.disabled = !shown.changes
  }

  // ---- the groups

  function face(row, parent) {
    const image = make("img", { alt: "", width: 80, height: 80, "data-row": row }, parent)
    if (urls.has(row)) image.src = urls.get(row)
    return image
  }

  function tickable(group, parent) {
    const row = make("div", { class: "faces", role: "group" }, parent)
    row.setAttribute("aria-label", say("Faces of {0}. Arrow keys go from one to the next, Space ticks.", group.name))
    group.faces.forEach(([number, photo], place) => {
      const label = make("label", { title: photo }, row)
      const tick = make("input", { type: "checkbox", tabindex: place ? -1 : 0, "data-key": `face ${number}` }, label)
      tick.setAttribute("aria-label", say("face {0}, {1}", number, photo))
      tick.checked = faces.has(number)
      tick.addEventListener("change", () => {
        faces[tick.checked ? "add" : "delete"](number)
        count()
      })
      face(number, label)
    })
    const ticks = [...row.querySelectorAll("input")]
    row.addEventListener("keydown", (event) => {
      const at = ticks.indexOf(event.target)
      const next = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1 }
      const place = { ...next, Home: 0, End: ticks.length - 1 }[event.key]
      if (at < 0 || place === undefined) return
      event.preventDefault()
      focusOn(ticks[Math.min(ticks.length - 1, Math.max(0, place))])
    })
    row.addEventListener("focusin", (event) => {
      for (const tick of ticks) tick.tabIndex = tick === event.target ? 0 : -1
    })
    if (group.count > group.faces.length) {
      const all = button(
        say("all {0}", group.count),
        say("Show all faces of {0}", group.name),
        () => send("all", { group: group.name }),
        row,
      )
      all.dataset.key = `all ${group.name}`
    }
  }

  function groupRow(group, place) {
    const row = make("div", { class: group.out ? "row out" : "row", role: "group", "aria-label": group.name }, list)
    const head = make("div", { class: "head" }, row)
    const tick = make("input", { type: "checkbox", title: say("Tick to merge"), "data-key": `group ${group.name}` }, head)
    tick.setAttribute("aria-label", say("the group {0}, to merge or leave out", group.name))
    tick.checked = groups.has(group.name)
    tick.addEventListener("change", () => {
      groups[tick.checked ? "add" : "delete"](group.name)
      count()
    })
    if (group.fixed) {
      make("b", {}, head, group.name)
    } else {
      const name = make("input", { type: "text", list: names, size: 16, "data-key": `name ${group.name}` }, head)
      name.placeholder = group.name
      name.value = typed.get(group.name) ?? (group.named ? group.name : "")
      name.setAttribute("aria-label", say("name of {0}", group.name))
      const give = () => {
        naming = group.name
        goOn = `name ${shown.groups[place + 1]?.name}` // who names one group goes on to the next
        send("rename", { group: group.name, name: name.value })
      }
      name.addEventListener("input", () => typed.set(group.name, name.value))
      name.addEventListener("keydown", (event) => event.key === "Enter" && give())
      button(say("Name"), say("Give {0} this name", group.name), give, head).dataset.key = `give ${group.name}`
    }
    make("span", { class: "count" }, head, manyFaces(group.count))
    tickable(group, row)
  }

  function pair(one) {
    const row = make("div", { class: "pair" }, pairs)
    one.faces.forEach((number) => face(number, row))
    make("span", {}, row, say("{0} and {1}: distance {2}", one.a, one.b, one.distance.toFixed(2)))
    button(say("The same: merge"), say("{0} and {1} become one group", one.a, one.b), () => {
      send("same", { groups: [one.a, one.b] })
    }, row)
    button(say("Different"), say("Do not show this pair again"), () => {
      different.add(`${one.a}\n${one.b}`)
      draw()
    }, row)
  }

  function focusOn(node) {
    node?.focus()
  }

  function draw() {
    const held = root.contains(document.activeElement) ? document.activeElement.dataset.key : null
    list.replaceChildren()
    pairs.replaceChildren()
    shown.groups.forEach(groupRow)
    const open = shown.suggestions.filter((one) => !different.has(`${one.a}\n${one.b}`))
    open.slice(0, 6).forEach(pair)
    known.replaceChildren(...shown.names.map((name) => make("option", { value: name })))
    status.textContent = [shown.said, shown.empty].filter(Boolean).join(" ")
    alert.hidden = !shown.alert
    alert.textContent = shown.alert ? `⚠ ${shown.alert}` : ""
    if (shown.alert) alert.setAttribute("role", "alert")
    else alert.removeAttribute("role")
    pager.hidden = !(shown.pages > 1)
    where.textContent = ` ${say("page {0} of {1}", shown.page + 1, shown.pages)} `
    before.disabled = shown.page === 0
    after.disabled = shown.page + 1 >= shown.pages
    notes.hidden = !shown.noted
    notes.replaceChildren(make("summary", {}, null, shown.noted > 1 ? say("{0} notes", shown.noted) : say("1 note")))
    for (const note of shown.notes) make("div", {}, notes, note)
    count()
    const key = goOn ?? held
    if (key) focusOn(root.querySelector(`[data-key="${CSS.escape(key)}"]`))
    const missing = [...root.querySelectorAll("img")].map((image) => Number(image.dataset.row))
    const rows = [...new Set(missing)].filter((row) => !urls.has(row) && !asked.has(row))
    rows.forEach((row) => asked.add(row))
    if (rows.length) send("thumbnails", { rows })
  }

  function receive(content, buffers) {
    if (content.kind === "thumbnails") {
      content.rows.forEach((row, place) => {
        if (!urls.has(row)) urls.set(row, URL.createObjectURL(new Blob([buffers[place]])))
        for (const image of root.querySelectorAll(`img[data-row="${row}"]`)) image.src = urls.get(row)
      })
      return
    }
    shown = content
    if (content.done) {
      faces.clear()
      groups.clear()
      typed.delete(naming)
      to.value = ""
    } else if (content.alert) {
      goOn = null // the keyboard stays where the mistake is
    }
    draw()
    goOn = naming = null
  }

  model.on("msg:custom", receive)
  send("ready")
  count()
  return () => {
    model.off("msg:custom", receive)
    for (const url of urls.values()) URL.revokeObjectURL(url)
  }
}

export default { render }

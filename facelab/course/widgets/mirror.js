// A live mirror: the camera's picture, and over it what the kernel saw in it. One frame is on its way at a time;
// the next one is taken when the answer is here, so frames are dropped and never queued. Nothing is kept.

const WIDTH = 320 // pixels of what is sent; a face of a fifth of that is found well
const PATIENCE = 10000 // milliseconds without an answer after which the kernel is said to be away
const RATE_OVER = 20 // answers over which the rate is a mean

function button(text, title) {
  const made = document.createElement("button")
  made.className = "jupyter-button"
  made.textContent = text
  made.title = title
  return made
}

function draw(canvas, video, answer, threshold, say) {
  const width = (canvas.width = video.videoWidth)
  const height = (canvas.height = video.videoHeight)
  const ink = canvas.getContext("2d")
  ink.clearRect(0, 0, width, height)
  const unit = width / 640
  ink.font = `${Math.round(20 * unit)}px sans-serif`
  for (const face of answer.faces) {
    const share = width / answer.width
    // The video is mirrored by the style sheet, the canvas is not: x is turned here, so that words are readable.
    const [x1, y1, x2, y2] = face.box.map((value) => value * share)
    const known = face.name !== null
    const colour = known ? "#009E73" : "#E69F00"
    ink.strokeStyle = "#000"
    ink.lineWidth = 5 * unit
    ink.strokeRect(width - x2, y1, x2 - x1, y2 - y1)
    ink.strokeStyle = colour
    ink.lineWidth = 3 * unit
    ink.strokeRect(width - x2, y1, x2 - x1, y2 - y1)
    for (const [x, y] of face.landmarks) {
      ink.beginPath()
      ink.arc(width - x * share, y * share, 4 * unit, 0, 2 * Math.PI)
      ink.fillStyle = "#F0E442"
      ink.fill()
      ink.lineWidth = unit
      ink.strokeStyle = "#000"
      ink.stroke()
    }
    const who = known ? face.name : face.distance === null ? say("nobody remembered yet") : say("nobody I know")
    const far = face.distance?.toFixed(2)
    const told = far === undefined ? who : say("{0}, {1} (threshold {2})", who, far, threshold.toFixed(2))
    const words = face.label ?? told
    if (!words) continue
    const below = Math.min(height - 8 * unit, y2 + 24 * unit)
    ink.fillStyle = "rgba(0, 0, 0, 0.75)"
    const wide = ink.measureText(words).width
    const left = Math.max(0, Math.min(width - wide - 8 * unit, width - x2))
    ink.fillRect(left, below - 20 * unit, wide + 8 * unit, 26 * unit)
    ink.fillStyle = "#fff"
    ink.fillText(words, left + 4 * unit, below)
  }
}

function render({ model, el }) {
  const texts = model.get("texts")
  // In the course's language; {0}, {1}, … are places for values.
  const say = (text, ...values) => (texts[text] ?? text).replace(/\{(\d)\}/g, (_, place) => values[place])
  el.classList.add("facelab-mirror")
  const start = button(say("Start"), say("Switch the camera on"))
  const stop = button(say("Stop"), say("Switch the camera off"))
  stop.disabled = true
  const name = document.createElement("input")
  name.type = "text"
  name.placeholder = say("a name")
  name.setAttribute("aria-label", say("a name for the face that is nearest"))
  const remember = button(
    say("Remember this face"),
    say("Keeps 128 numbers in this notebook's memory, and no picture"),
  )
  const forget = button(say("Forget all"), say("Nobody is remembered any more"))
  const controls = document.createElement("div")
  controls.className = "controls"
  controls.append(start, stop)
  if (model.get("remembers")) controls.append(name, remember, forget)
  const stage = document.createElement("div")
  stage.className = "stage"
  stage.hidden = true
  const video = document.createElement("video")
  video.muted = true
  video.playsInline = true
  const over = document.createElement("canvas")
  over.setAttribute("role", "img")
  over.setAttribute("aria-label", say("what was found in the camera's picture"))
  stage.append(video, over)
  const line = document.createElement("div")
  line.setAttribute("role", "status")
  const alert = document.createElement("div")
  alert.setAttribute("role", "alert")
  alert.hidden = true
  el.append(controls, stage, line, alert)

  const small = document.createElement("canvas")
  let stream = null
  let waiting = null // the number of the frame that is on its way
  let number = 0
  let times = []
  let timer = null
  const tell = (text) => (line.textContent = text)
  const complain = (text) => {
    alert.textContent = text
    alert.hidden = !text
  }

  const off = () => {
    stream?.getTracks().forEach((track) => track.stop())
    stream = null
    waiting = null
    clearTimeout(timer)
    video.srcObject = null
    stage.hidden = true
    start.disabled = false
    stop.disabled = true
  }

  const next = () => {
    if (!stream || waiting !== null) return
    small.width = WIDTH
    small.height = Math.round((WIDTH * video.videoHeight) / video.videoWidth)
    small.getContext("2d").drawImage(video, 0, 0, small.width, small.height)
    const mine = (waiting = ++number)
    small.toBlob(
      async (blob) => {
        if (!stream || waiting !== mine) return
        if (!blob) {
          off()
          complain(say("The browser could not write a JPEG of the camera's picture."))
          return
        }
        model.send({ kind: "frame", number: mine }, undefined, [await blob.arrayBuffer()])
        timer = setTimeout(() => {
          off()
          complain(say("The kernel does not answer: is another cell running? Then press Start again."))
        }, PATIENCE)
      },
      "image/jpeg",
      0.8,
    )
  }

  model.on("msg:custom", (content) => {
    if (content.kind === "words") return tell(content.text)
    if (content.kind !== "answer" || content.number !== waiting) return
    clearTimeout(timer)
    waiting = null
    if (!stream) return
    if (content.error) {
      off()
      complain(content.error)
      return
    }
    draw(over, video, content, content.threshold, say)
    times.push(performance.now())
    times = times.slice(-RATE_OVER)
    const rate = times.length > 1 ? (1000 * (times.length - 1)) / (times.at(-1) - times[0]) : 0
    el.dataset.rate = rate.toFixed(1)
    el.dataset.answers = String(1 + Number(el.dataset.answers ?? 0))
    const speed = [rate.toFixed(0), content.ms?.toFixed(0)]
    const count = content.faces.length
    tell(
      content.words ??
        (count === 1
          ? say("1 face, {0} answers a second, {1} ms each in the kernel. No frame is kept.", ...speed)
          : say("{0} faces, {1} answers a second, {2} ms each in the kernel. No frame is kept.", count, ...speed)),
    )
    requestAnimationFrame(next)
  })

  start.onclick = async () => {
    complain("")
    if (!navigator.mediaDevices?.getUserMedia) {
      complain(say("This page may not use a camera: browsers allow it on localhost and over https only."))
      return
    }
    start.disabled = true
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 } }, audio: false })
      video.srcObject = stream
      await video.play()
      stage.hidden = false
      stop.disabled = false
      times = []
      model.send({ kind: "start" })
      stop.focus()
      tell(say("Looking …"))
      next()
    } catch (error) {
      off()
      complain(
        error.name === "NotAllowedError"
          ? say("The browser may not use the camera here: allow it in the address bar, then press Start again.")
          : error.name === "NotFoundError"
            ? say("There is no camera on this computer.")
            : say("The camera could not be opened ({0}). Is another program using it?", error.name),
      )
    }
  }
  stop.onclick = () => {
    off()
    tell(say("The camera is off. No frame was kept."))
    start.focus()
  }
  remember.onclick = () => model.send({ kind: "remember", name: name.value })
  name.onkeydown = (event) => {
    if (event.key === "Enter") remember.click()
  }
  forget.onclick = () => model.send({ kind: "forget" })
  return off
}

export default { render }

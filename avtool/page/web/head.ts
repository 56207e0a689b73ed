// A head in three dimensions: turned by hand, moved by its units, saying the sound of the page.

import {
  AmbientLight, AnimationMixer, Box3, DirectionalLight, Mesh, PerspectiveCamera, Scene,
  SRGBColorSpace, Vector3, WebGLRenderer, type Object3D,
} from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import { bytes, data, make, text } from "./data";
import { start } from "./main";
import { shape } from "./shape";

/** A unit's name in words: mouthSmileLeft is "mouth smile left". */
const words = (unit: string): string => unit.replace(/([A-Z])/g, " $1").toLowerCase();

function drawer(canvas: HTMLCanvasElement): WebGLRenderer | null {
  try {
    return new WebGLRenderer({ canvas, antialias: true, alpha: true });
  } catch {
    return null; // there is no WebGL here
  }
}

if (data.forms) {
  const canvas = make("canvas", { className: "head3d", ariaLabel: "A shape in three dimensions; drag to turn it" });
  canvas.setAttribute("role", "img");
  shape(drawer(canvas), canvas);
} else start((stage) => {
  const canvas = make("canvas", { className: "head3d", ariaLabel: "A head in three dimensions; drag to turn it" });
  canvas.setAttribute("role", "img");
  const found = drawer(canvas);
  if (!found) {
    stage.append(make("p", {}, "This browser cannot show the head: it has no WebGL."));
    return () => undefined;
  }
  const renderer = found;
  renderer.outputColorSpace = SRGBColorSpace;
  const scene = new Scene(), camera = new PerspectiveCamera(24, 1, 0.01, 10), sun = new DirectionalLight("white", 1.6);
  const hands = new OrbitControls(camera, canvas);
  const given = new Map<string, number>(); // units that are set by hand
  let mixer: AnimationMixer | null = null, moved: Mesh[] = [], time = 0, asked = false;
  scene.add(new AmbientLight("white", 1.9), sun);
  sun.position.set(0.6, 1, 1.4);
  hands.enablePan = false;

  const units = make("div", { className: "units" });
  const panel = make("details", { className: "panel" }, make("summary", {}, "Move it by its units"), units);
  stage.classList.add("with-head");
  stage.append(make("div", { className: "head-screen" }, canvas), panel);

  function draw(): void {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      mixer?.setTime(time);
      for (const mesh of moved)
        for (const [unit, amount] of given) {
          const place = mesh.morphTargetDictionary?.[unit];
          if (place !== undefined) mesh.morphTargetInfluences![place] = amount;
        }
      renderer.render(scene, camera);
    });
  }

  function sliders(names: string[]): void {
    for (const name of names) {
      const slider = make("input", { type: "range", min: "0", max: "1", step: "0.01", value: "0" });
      slider.addEventListener("input", () => {
        slider.style.setProperty("--part", `${100 * Number(slider.value)}%`);
        if (Number(slider.value)) given.set(name, Number(slider.value));
        else {
          given.delete(name);
          for (const mesh of moved) if (mesh.morphTargetDictionary?.[name] !== undefined) mesh.morphTargetInfluences![mesh.morphTargetDictionary[name]!] = 0;
        }
        draw();
      });
      units.append(make("label", {}, make("span", {}, words(name)), slider));
    }
  }

  new GLTFLoader().parse(bytes(text(data.head!)).buffer, "", ({ scene: head, animations }) => {
    scene.add(head);
    head.traverse((each: Object3D) => { if (each instanceof Mesh && each.morphTargetDictionary) moved.push(each); });
    const box = new Box3().setFromObject(head), middle = box.getCenter(new Vector3()), size = box.getSize(new Vector3());
    middle.y = box.max.y - 0.36 * size.y; // between the eyes and the mouth
    hands.target.copy(middle);
    camera.position.set(middle.x, middle.y, middle.z + size.y * 1.9);
    hands.minDistance = size.y * 0.8;
    hands.maxDistance = size.y * 5;
    hands.update();
    if (animations[0]) {
      mixer = new AnimationMixer(head);
      mixer.clipAction(animations[0]).play();
    }
    sliders([...new Set(moved.flatMap((mesh) => Object.keys(mesh.morphTargetDictionary!)))].sort());
    canvas.dataset.ready = "yes";
    draw();
  }, (error) => { throw error; });

  hands.addEventListener("change", draw);
  new ResizeObserver(() => {
    const { clientWidth: wide, clientHeight: high } = canvas.parentElement!;
    renderer.setPixelRatio(Math.min(2, devicePixelRatio));
    renderer.setSize(wide, high, false);
    camera.aspect = wide / high;
    camera.updateProjectionMatrix();
    draw();
  }).observe(canvas.parentElement!);
  return (now) => {
    if (now !== time) { time = now; draw(); }
  };
});

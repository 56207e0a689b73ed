// A shape in its forms: one at a time, turned by hand.

import {
  AmbientLight, Box3, Color, DirectionalLight, DoubleSide, Mesh, MeshStandardMaterial, PerspectiveCamera, Points,
  PointsMaterial, Scene, SRGBColorSpace, Vector3, WebGLRenderer, type Object3D,
} from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import { bytes, data, make, text } from "./data";

export function shape(renderer: WebGLRenderer | null, canvas: HTMLCanvasElement): void {
  const screen = make("div", { className: "head-screen shape" }, canvas);
  const views = make("img", { className: "views", alt: "Pictures from all around", src: data.views ?? "", hidden: true });
  const tabs = make("div", { className: "forms" }), said = make("p", { className: "said" });
  tabs.setAttribute("role", "group");
  tabs.ariaLabel = "Forms";
  document.body.append(make("main", {},
    make("header", {}, make("h1", {}, data.title), make("p", {}, Object.values(data.facts).join("  ·  "))),
    tabs, screen, views, said));
  if (!renderer) {
    screen.replaceChildren(make("p", {}, "This browser cannot show shapes: it has no WebGL."));
    return;
  }
  renderer.outputColorSpace = SRGBColorSpace;
  const scene = new Scene(), camera = new PerspectiveCamera(30, 1, 0.01, 1000), sun = new DirectionalLight("white", 2.1);
  const hands = new OrbitControls(camera, canvas);
  scene.add(new AmbientLight("white", 1.5), camera);
  camera.add(sun); // it goes with who looks
  sun.position.set(-0.5, 0.7, 1);
  let asked = false;
  function draw(): void {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; renderer!.render(scene, camera); });
  }

  new GLTFLoader().parse(bytes(text(data.head!)).buffer, "", ({ scene: all }) => {
    const forms = new Map<string, Object3D>();
    for (const { name } of data.forms!) {
      const found = all.getObjectByName(name);
      if (found) forms.set(name, found);
    }
    all.traverse((each) => {
      const coloured = (each instanceof Mesh || each instanceof Points) && each.geometry.hasAttribute("color");
      if (each instanceof Mesh) {
        each.geometry.deleteAttribute("normal"); // faces are flat: so are cubes, and what is cut
        each.material = new MeshStandardMaterial({
          color: coloured ? "white" : new Color(0xdedbd4), vertexColors: coloured, side: DoubleSide, roughness: 0.75, flatShading: true,
        });
      } else if (each instanceof Points)
        each.material = new PointsMaterial({ vertexColors: coloured, color: "white", size: 3.2, sizeAttenuation: false });
    });
    scene.add(all);
    const box = new Box3().setFromObject(forms.get("mesh") ?? all), middle = box.getCenter(new Vector3());
    const radius = box.getSize(new Vector3()).length() / 2;
    hands.target.copy(middle);
    camera.position.copy(middle).add(new Vector3(0.55, 0.45, 0.85).normalize().multiplyScalar(radius * 4));
    camera.near = radius / 100;
    camera.far = radius * 100;
    camera.updateProjectionMatrix();
    hands.minDistance = radius * 0.5;
    hands.maxDistance = radius * 20;
    hands.update();
    const buttons = data.forms!.map(({ name, title, words }) => {
      const button = make("button", { type: "button" }, title);
      button.addEventListener("click", () => {
        for (const [other, form] of forms) form.visible = other === name;
        views.hidden = name !== "views";
        screen.hidden = name === "views";
        said.textContent = words;
        for (const each of buttons) each.ariaPressed = String(each === button);
        draw();
      });
      return button;
    });
    tabs.append(...buttons);
    buttons[0]!.click();
    canvas.dataset.ready = "yes";
  }, (error) => { throw error; });

  hands.addEventListener("change", draw);
  new ResizeObserver(() => {
    const { clientWidth: wide, clientHeight: high } = screen;
    if (!wide || !high) return;
    renderer.setPixelRatio(Math.min(2, devicePixelRatio));
    renderer.setSize(wide, high, false);
    camera.aspect = wide / high;
    camera.updateProjectionMatrix();
    draw();
  }).observe(screen);
}

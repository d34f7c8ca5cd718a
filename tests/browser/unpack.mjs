// Unpacks the browser of the npm package, its libraries and its fonts into TMPDIR. It runs beside the
// package's node_modules.
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflate } from "@sparticuz/chromium";

const packed = join(dirname(fileURLToPath(import.meta.resolve("@sparticuz/chromium"))), "../bin");
mkdirSync(tmpdir(), { recursive: true });
for (const file of ["chromium.br", "al2023.tar.br", "fonts.tar.br"]) {
  await inflate(join(packed, file));
}
// The package's own settings name folders of another machine.
writeFileSync(
  join(tmpdir(), "fonts.conf"),
  `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
`,
);

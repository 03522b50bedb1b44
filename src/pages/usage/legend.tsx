/** One entry of the legend below a bar, of the current cycle or of a past one. */
import type { Child, FC } from "hono/jsx";

/** @param swatch the part of the bar that the entry explains; none for a number without a part */
export const LegendItem: FC<{ term: string; swatch?: "monthly" | "bonus"; children?: Child }> = ({
  term,
  swatch,
  children,
}) => (
  <div>
    <dt>
      {swatch !== undefined && <i class={`swatch ${swatch}`} />}
      {term}
    </dt>
    <dd>{children}</dd>
  </div>
);

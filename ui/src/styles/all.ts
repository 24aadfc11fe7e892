/* Everything the pages are dressed in. The fonts are bundled: nothing comes from the network. */
import "./fonts.css";
import "@fontsource-variable/jetbrains-mono/index.css";
import "./tokens.css";
import "./base.css";

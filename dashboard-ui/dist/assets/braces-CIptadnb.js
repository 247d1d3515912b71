<<<<<<<< HEAD:dashboard-ui/dist/assets/braces-CIptadnb.js
import{zt as e}from"./index-CBrA45Rk.js";var t={name:`braces`,size:24,node:[[`path`,{d:`M8 3H7a2 2 0 0 0-2 2v5a2 2 0 0 1-2 2 2 2 0 0 1 2 2v5c0 1.1.9 2 2 2h1`,key:`ezmyqa`}],[`path`,{d:`M16 21h1a2 2 0 0 0 2-2v-5c0-1.1.9-2 2-2a2 2 0 0 1-2-2V5a2 2 0 0 0-2-2h-1`,key:`e1hn23`}]],aliases:[`curly-braces`]};t.node;var n=e(t);export{n as t};
========
import{Kt as e}from"./index-Df61rear.js";var t={name:`braces`,size:24,node:[[`path`,{d:`M8 3H7a2 2 0 0 0-2 2v5a2 2 0 0 1-2 2 2 2 0 0 1 2 2v5c0 1.1.9 2 2 2h1`,key:`ezmyqa`}],[`path`,{d:`M16 21h1a2 2 0 0 0 2-2v-5c0-1.1.9-2 2-2a2 2 0 0 1-2-2V5a2 2 0 0 0-2-2h-1`,key:`e1hn23`}]],aliases:[`curly-braces`]};t.node;var n=e(t);export{n as t};
>>>>>>>> 7d9fd97 (Dashboard: steps under way, a look beside the list, and more to choose):dashboard-ui/dist/assets/braces-Ddef5gry.js

<<<<<<<< HEAD:dashboard-ui/dist/assets/braces-CdkqwV4l.js
import{Kt as e}from"./index-Dat_Y0EY.js";var t={name:`braces`,size:24,node:[[`path`,{d:`M8 3H7a2 2 0 0 0-2 2v5a2 2 0 0 1-2 2 2 2 0 0 1 2 2v5c0 1.1.9 2 2 2h1`,key:`ezmyqa`}],[`path`,{d:`M16 21h1a2 2 0 0 0 2-2v-5c0-1.1.9-2 2-2a2 2 0 0 1-2-2V5a2 2 0 0 0-2-2h-1`,key:`e1hn23`}]],aliases:[`curly-braces`]};t.node;var n=e(t);export{n as t};
========
import{Kt as e}from"./index-r-CU_lTf.js";var t={name:`braces`,size:24,node:[[`path`,{d:`M8 3H7a2 2 0 0 0-2 2v5a2 2 0 0 1-2 2 2 2 0 0 1 2 2v5c0 1.1.9 2 2 2h1`,key:`ezmyqa`}],[`path`,{d:`M16 21h1a2 2 0 0 0 2-2v-5c0-1.1.9-2 2-2a2 2 0 0 1-2-2V5a2 2 0 0 0-2-2h-1`,key:`e1hn23`}]],aliases:[`curly-braces`]};t.node;var n=e(t);export{n as t};
>>>>>>>> 52783b2 (Dashboard: menus of the list are drawn while they are open):dashboard-ui/dist/assets/braces-9nbshwWI.js

<<<<<<<< HEAD:dashboard-ui/dist/assets/repeat-B9Sr6lkb.js
import{Kt as e}from"./index-Dat_Y0EY.js";var t={name:`repeat`,size:24,node:[[`path`,{d:`m17 2 4 4-4 4`,key:`nntrym`}],[`path`,{d:`M3 11v-1a4 4 0 0 1 4-4h14`,key:`84bu3i`}],[`path`,{d:`m7 22-4-4 4-4`,key:`1wqhfi`}],[`path`,{d:`M21 13v1a4 4 0 0 1-4 4H3`,key:`1rx37r`}]]};t.node;var n=e(t);export{n as t};
========
import{Kt as e}from"./index-r-CU_lTf.js";var t={name:`repeat`,size:24,node:[[`path`,{d:`m17 2 4 4-4 4`,key:`nntrym`}],[`path`,{d:`M3 11v-1a4 4 0 0 1 4-4h14`,key:`84bu3i`}],[`path`,{d:`m7 22-4-4 4-4`,key:`1wqhfi`}],[`path`,{d:`M21 13v1a4 4 0 0 1-4 4H3`,key:`1rx37r`}]]};t.node;var n=e(t);export{n as t};
>>>>>>>> 52783b2 (Dashboard: menus of the list are drawn while they are open):dashboard-ui/dist/assets/repeat-DjoUIhtO.js

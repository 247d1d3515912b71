<<<<<<<< HEAD:dashboard-ui/dist/assets/repeat-B6i6sJ2G.js
import{zt as e}from"./index-CBrA45Rk.js";var t={name:`repeat`,size:24,node:[[`path`,{d:`m17 2 4 4-4 4`,key:`nntrym`}],[`path`,{d:`M3 11v-1a4 4 0 0 1 4-4h14`,key:`84bu3i`}],[`path`,{d:`m7 22-4-4 4-4`,key:`1wqhfi`}],[`path`,{d:`M21 13v1a4 4 0 0 1-4 4H3`,key:`1rx37r`}]]};t.node;var n=e(t);export{n as t};
========
import{zt as e}from"./index-CniEyxRN.js";var t={name:`repeat`,size:24,node:[[`path`,{d:`m17 2 4 4-4 4`,key:`nntrym`}],[`path`,{d:`M3 11v-1a4 4 0 0 1 4-4h14`,key:`84bu3i`}],[`path`,{d:`m7 22-4-4 4-4`,key:`1wqhfi`}],[`path`,{d:`M21 13v1a4 4 0 0 1-4 4H3`,key:`1rx37r`}]]};t.node;var n=e(t);export{n as t};
>>>>>>>> 092ede7 (Tell the schemas of signals and updates before a run begins):dashboard-ui/dist/assets/repeat-W7clF2i_.js

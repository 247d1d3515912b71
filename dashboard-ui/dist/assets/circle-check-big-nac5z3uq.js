<<<<<<<< HEAD:dashboard-ui/dist/assets/circle-check-big-nac5z3uq.js
import{zt as e}from"./index-CBrA45Rk.js";var t={name:`circle-check-big`,size:24,node:[[`path`,{d:`M21.801 10A10 10 0 1 1 17 3.335`,key:`yps3ct`}],[`path`,{d:`m9 11 3 3L22 4`,key:`1pflzl`}]],aliases:[`check-circle`]};t.node;var n=e(t);export{n as t};
========
import{zt as e}from"./index-CniEyxRN.js";var t={name:`circle-check-big`,size:24,node:[[`path`,{d:`M21.801 10A10 10 0 1 1 17 3.335`,key:`yps3ct`}],[`path`,{d:`m9 11 3 3L22 4`,key:`1pflzl`}]],aliases:[`check-circle`]};t.node;var n=e(t);export{n as t};
>>>>>>>> 092ede7 (Tell the schemas of signals and updates before a run begins):dashboard-ui/dist/assets/circle-check-big-CkLEYee9.js

<<<<<<<< HEAD:dashboard-ui/dist/assets/circle-check-big-DyBfFQRy.js
import{Kt as e}from"./index-Dat_Y0EY.js";var t={name:`circle-check-big`,size:24,node:[[`path`,{d:`M21.801 10A10 10 0 1 1 17 3.335`,key:`yps3ct`}],[`path`,{d:`m9 11 3 3L22 4`,key:`1pflzl`}]],aliases:[`check-circle`]};t.node;var n=e(t);export{n as t};
========
import{Kt as e}from"./index-r-CU_lTf.js";var t={name:`circle-check-big`,size:24,node:[[`path`,{d:`M21.801 10A10 10 0 1 1 17 3.335`,key:`yps3ct`}],[`path`,{d:`m9 11 3 3L22 4`,key:`1pflzl`}]],aliases:[`check-circle`]};t.node;var n=e(t);export{n as t};
>>>>>>>> 52783b2 (Dashboard: menus of the list are drawn while they are open):dashboard-ui/dist/assets/circle-check-big-BXH6u_bR.js
